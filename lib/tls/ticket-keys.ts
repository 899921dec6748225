import { randomBytes } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import type { Clock } from '../base/timer-wheel.js';

/** How long a key encrypts new tickets, in ms. */
export const TICKET_KEY_LIFE = 3_600_000;
/** With the current key: tickets are decrypted for two to three hours. */
const KEYS_KEPT = 3;

interface TicketKey {
  readonly name: Buffer;
  readonly hmac: Buffer;
  readonly aes: Buffer;
}

/** An answer to OpenSSL: 0 makes it go on without the ticket, 1 use it, 2 use it and send a new one. */
type KeyAnswer = readonly [0 | 1 | 2, hmac: Buffer, aes: Buffer, name?: Buffer, iv?: Buffer];

/** What Node has below a SecureContext. It documents `setTicketKeys` of a server only, which has one key. */
interface RawContext {
  setTicketKeys(keys: Buffer): void;
  enableTicketKeyCallback?: () => void;
  onticketkeycallback?: (name: Buffer, iv: Buffer, encrypts: boolean) => KeyAnswer;
}

/**
 * The keys of session tickets (RFC 5077), the same for all contexts, so that a session goes on with whichever listener
 * or certificate. A new one every hour; tickets of the two before are still read.
 *
 * OpenSSL asks a callback for the key, which Node has, undocumented. Where it is missing, contexts have one key each,
 * and a rotation ends the sessions from before: their clients make a full handshake.
 */
export class TicketKeys {
  readonly #keys: TicketKey[] = [newKey()];
  /** Those without the callback. They must be told of a new key. */
  readonly #told = new Set<WeakRef<RawContext>>();
  readonly #usesCallback: boolean;
  readonly #stop: () => void;

  /** `usesCallback: false`: as if Node did not have it. */
  constructor(clock: Clock, usesCallback = true) {
    this.#usesCallback = usesCallback;
    this.#stop = clock.every(TICKET_KEY_LIFE, () => this.rotate());
  }

  /** Has the context use these keys from now on. */
  attach(context: SecureContext): void {
    const raw = context.context as RawContext;
    if (this.#usesCallback && typeof raw.enableTicketKeyCallback === 'function') {
      raw.enableTicketKeyCallback();
      raw.onticketkeycallback = this.#answer;
      return;
    }
    raw.setTicketKeys(joined(this.#current));
    this.#told.add(new WeakRef(raw));
  }

  rotate(): void {
    this.#keys.unshift(newKey());
    this.#keys.length = Math.min(this.#keys.length, KEYS_KEPT);
    const key = joined(this.#current);
    for (const reference of this.#told) {
      const raw = reference.deref();
      if (raw === undefined) this.#told.delete(reference);
      else raw.setTicketKeys(key);
    }
  }

  stop(): void {
    this.#stop();
  }

  get #current(): TicketKey {
    return this.#keys[0] as TicketKey;
  }

  /** Called by Node, which ends the process when an answer has no two buffers of 16 bytes. */
  readonly #answer = (name: Buffer, _iv: Buffer, encrypts: boolean): KeyAnswer => {
    const current = this.#current;
    if (encrypts) return [1, current.hmac, current.aes, current.name, randomBytes(16)];
    const key = this.#keys.find((one) => one.name.equals(name));
    if (key === undefined) return [0, current.hmac, current.aes];
    return [key === current ? 1 : 2, key.hmac, key.aes];
  };
}

function newKey(): TicketKey {
  return { name: randomBytes(16), hmac: randomBytes(16), aes: randomBytes(16) };
}

function joined({ name, hmac, aes }: TicketKey): Buffer {
  return Buffer.concat([name, hmac, aes]);
}
