import { randomBytes } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import type { Clock } from '../base/timer-wheel.js';
import type { TicketKey } from './published-certificates.js';

/** How long a key encrypts new tickets, in ms. */
export const TICKET_KEY_LIFE = 3_600_000;
/**
 * The next key, the current one and two before. All threads know a key an hour before one of them encrypts with it, so that
 * a session is resumed by a thread that gets a rotation a moment later. Tickets are decrypted for two to three hours.
 */
const KEYS_KEPT = 4;

/**
 * Makes the keys of session tickets (RFC 5077), for all threads: a new one every hour. They are kept in memory alone, and
 * end with the process.
 */
export class TicketKeyRotation {
  #keys: readonly TicketKey[] = [newKey(), newKey()];
  readonly #stop: () => void;

  /** `onRotate` is called with all keys, newest first. */
  constructor(clock: Clock, onRotate: (keys: readonly TicketKey[]) => void) {
    this.#stop = clock.every(TICKET_KEY_LIFE, () => {
      this.#keys = [newKey(), ...this.#keys].slice(0, KEYS_KEPT);
      onRotate(this.#keys);
    });
  }

  /** Newest first: the next key, then the current one. */
  get keys(): readonly TicketKey[] {
    return this.#keys;
  }

  stop(): void {
    this.#stop();
  }
}

function newKey(): TicketKey {
  return { name: randomBytes(16), hmac: randomBytes(16), aes: randomBytes(16) };
}

/** A key as OpenSSL wants it. */
interface BufferKey {
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
 * The keys of session tickets as the contexts of this thread use them, the same for all, so that a session goes on with
 * whichever listener, certificate or thread.
 *
 * OpenSSL asks a callback for the key, which Node has, undocumented. Where it is missing, contexts have one key each,
 * and a rotation ends the sessions from before: their clients make a full handshake.
 */
export class TicketKeys {
  #keys: readonly BufferKey[];
  /** Those without the callback. They must get each new key. */
  readonly #told = new Set<WeakRef<RawContext>>();
  readonly #usesCallback: boolean;

  /** `keys`: those of a `TicketKeyRotation`. `usesCallback: false`: as if Node did not have it. */
  constructor(keys: readonly TicketKey[], usesCallback = true) {
    this.#keys = keys.map(bufferKey);
    this.#usesCallback = usesCallback;
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

  /** Uses these from now on: the keys were rotated. */
  replace(keys: readonly TicketKey[]): void {
    this.#keys = keys.map(bufferKey);
    const key = joined(this.#current);
    for (const reference of this.#told) {
      const raw = reference.deref();
      if (raw === undefined) this.#told.delete(reference);
      else raw.setTicketKeys(key);
    }
  }

  get #current(): BufferKey {
    return this.#keys[1] as BufferKey;
  }

  /** Called by Node, which ends the process when an answer has no two buffers of 16 bytes. */
  readonly #answer = (name: Buffer, _iv: Buffer, encrypts: boolean): KeyAnswer => {
    const current = this.#current;
    if (encrypts) return [1, current.hmac, current.aes, current.name, randomBytes(16)];
    const at = this.#keys.findIndex((one) => one.name.equals(name));
    const key = this.#keys[at];
    if (key === undefined) return [0, current.hmac, current.aes];
    return [at <= 1 ? 1 : 2, key.hmac, key.aes];
  };
}

/** What was posted from another thread arrives as plain bytes. */
function bufferKey({ name, hmac, aes }: TicketKey): BufferKey {
  return { name: Buffer.from(name), hmac: Buffer.from(hmac), aes: Buffer.from(aes) };
}

function joined({ name, hmac, aes }: BufferKey): Buffer {
  return Buffer.concat([name, hmac, aes]);
}
