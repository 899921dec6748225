import { createCipheriv, createHmac } from 'node:crypto';
import { once } from 'node:events';
import * as net from 'node:net';
import { Duplex } from 'node:stream';
import * as tls from 'node:tls';

const APPLICATION_DATA = 23;
const HANDSHAKE = 22;

/**
 * A client of TLS 1.3 that writes its records itself once the handshake is done, so that it can send what Node's cannot:
 * KeyUpdate (RFC 8446, 4.6.3).
 */
export class RecordClient {
  readonly raw: net.Socket;
  readonly #socket: tls.TLSSocket;
  #secret: Buffer;
  #key: Buffer = Buffer.alloc(0);
  #iv: Buffer = Buffer.alloc(0);
  #sequence = 0;
  /** What has come, decrypted. */
  text = '';

  private constructor(raw: net.Socket, socket: tls.TLSSocket, secret: Buffer) {
    this.raw = raw;
    this.#socket = socket;
    this.#secret = secret;
    this.#derive();
    socket.setEncoding('latin1').on('data', (data: string) => {
      this.text += data;
    });
    socket.on('error', () => {});
  }

  static async connect(port: number): Promise<RecordClient> {
    const raw = net.connect(port, '127.0.0.1');
    await once(raw, 'connect');
    const below = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        raw.write(chunk, () => done());
      },
    });
    raw.on('data', (data) => below.push(data));
    raw.on('end', () => below.push(null));
    raw.on('error', () => below.destroy());
    const socket = tls.connect({
      socket: below,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ciphers: 'TLS_AES_128_GCM_SHA256',
    });
    let secret = '';
    socket.on('keylog', (line) => {
      secret = /^CLIENT_TRAFFIC_SECRET_0 \S+ (\S+)/.exec(line.toString())?.[1] ?? secret;
    });
    await once(socket, 'secureConnect');
    return new RecordClient(raw, socket, Buffer.from(secret, 'hex'));
  }

  #derive(): void {
    this.#key = expand(this.#secret, 'key', 16);
    this.#iv = expand(this.#secret, 'iv', 12);
    this.#sequence = 0;
  }

  #record(type: number, content: Buffer): Buffer {
    const header = Buffer.of(APPLICATION_DATA, 3, 3, 0, 0);
    header.writeUInt16BE(content.length + 1 + 16, 3);
    const nonce = Buffer.from(this.#iv);
    nonce.writeUInt32BE((nonce.readUInt32BE(8) ^ this.#sequence++) >>> 0, 8);
    const cipher = createCipheriv('aes-128-gcm', this.#key, nonce).setAAD(header);
    const body = Buffer.concat([cipher.update(content), cipher.update(Buffer.of(type)), cipher.final()]);
    return Buffer.concat([header, body, cipher.getAuthTag()]);
  }

  send(text: string): void {
    this.raw.write(this.#record(APPLICATION_DATA, Buffer.from(text, 'latin1')));
  }

  /** The bytes of `count` changes of our key. `asks`: each has the peer change its key too. */
  keyUpdates(count: number, asks = false): Buffer {
    const records: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      records.push(this.#record(HANDSHAKE, Buffer.of(24, 0, 0, 1, asks ? 1 : 0)));
      this.#secret = expand(this.#secret, 'traffic upd', 32);
      this.#derive();
    }
    return Buffer.concat(records);
  }

  close(): void {
    this.#socket.destroy();
    this.raw.destroy();
  }
}

/** HKDF-Expand-Label of RFC 8446, 7.1, for at most 32 bytes. */
function expand(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`, 'latin1');
  const info = Buffer.concat([Buffer.of(0, length, name.length), name, Buffer.of(0, 1)]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}
