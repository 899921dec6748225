import { createHmac } from 'node:crypto';
import { hashText } from '../base/hash.js';
import type { StickyConfig } from '../config/types.js';
import type { HeadEdit } from '../http/head-edit.js';
import type { Server } from '../servers/server.js';
import type { ServerGroup } from '../servers/server-group.js';
import type { Sticky } from './context.js';
import type { RequestFacts } from './request-key.js';
import type { StickyMemory } from './sticky-memory.js';

/** Characters of base64url that are kept of a hash: 132 bits, enough that no two hashes are equal. */
const TOKEN_LENGTH = 22;

export type CookieBinding = Extract<StickyConfig, { kind: 'cookie' }>;

/** The scope of addresses of clients, which have no better identifier. */
const CLIENTS = hashText('client');

/** The names of one server in cookies. */
interface Mark {
  readonly token: string;
  /** Set-Cookie for a client that came over http, and for one that came over https. */
  readonly cookie: string;
  readonly secureCookie: string;
}

/**
 * The names of servers in cookies, computed with one secret. A hash takes 4 µs, which adds up for 10,000 servers in
 * 10,000 routes: each is made once, for all routes, and kept over a reload.
 */
export class StickyTokens {
  readonly #secret: string | Buffer;
  readonly #byName = new Map<string, string>();
  #before: StickyTokens | null;

  /** `before`: the tokens with the same secret that were in use until now. */
  constructor(secret: string | Buffer, before: StickyTokens | null = null) {
    this.#secret = secret;
    this.#before = before;
  }

  of(name: string): string {
    let token = this.#byName.get(name);
    if (token !== undefined) return token;
    if (this.#before !== null) token = this.#before.#byName.get(name);
    token ??= this.#make(name);
    this.#byName.set(name, token);
    return token;
  }

  #make(name: string): string {
    return createHmac('sha256', this.#secret).update(name).digest('base64url').slice(0, TOKEN_LENGTH);
  }

  /** All tokens needed have been asked for: forgets those of servers that are gone. */
  settle(): void {
    this.#before = null;
  }
}

/**
 * Binds clients by a cookie of our own, which names a server by a keyed hash of the server's name: it shows no address,
 * can't be forged, and means the same to every balancer with the same secret, in whatever order servers are listed.
 * Hashes are made once for each server; a request costs one search of its cookies and one look into a map.
 */
export class StickyCookie implements Sticky {
  readonly #config: CookieBinding;
  readonly #tokens: StickyTokens;
  readonly #name: string;
  readonly #group: ServerGroup;
  readonly #byToken = new Map<string, Server>();
  readonly #memory: StickyMemory;
  readonly #nocache: boolean;
  readonly #marks = new Map<Server, Mark>();
  /** The version of the group when the marks were made. */
  #version = -1;

  /**
   * `tokens`: for the secret in the settings, or a random one. `memory` records which clients still use a server that
   * gets no new ones.
   */
  constructor(config: CookieBinding, tokens: StickyTokens, group: ServerGroup, memory: StickyMemory) {
    this.#config = config;
    this.#tokens = tokens;
    this.#group = group;
    this.#memory = memory;
    this.#nocache = config.nocache;
    this.#name = config.name;
    this.#followGroup();
  }

  /** Servers were added or removed since the last request: makes marks for the new ones, and keeps the other marks. */
  #followGroup(): void {
    const { servers, version } = this.#group;
    this.#version = version;
    const left = new Set(this.#marks.keys());
    for (const server of servers) if (!left.delete(server)) this.#add(server);
    for (const server of left) {
      const { token } = this.#marks.get(server) as Mark;
      this.#marks.delete(server);
      if (this.#byToken.get(token) === server) this.#byToken.delete(token);
    }
  }

  #add(server: Server): void {
    const config = this.#config;
    const token = this.#tokens.of(server.name);
    const plain = `${config.name}=${token}${attributesOf(config)}`;
    const secureCookie = `${plain}; Secure${config.partitioned ? '; Partitioned' : ''}`;
    // Browsers accept SameSite=None only together with Secure.
    const cookie = config.sameSite === 'None' ? secureCookie : plain;
    this.#byToken.set(token, server);
    this.#marks.set(server, { token, cookie, secureCookie });
  }

  serverFor(context: RequestFacts, tried: readonly Server[]): Server | null {
    if (this.#version !== this.#group.version) this.#followGroup();
    const server = this.#byToken.get(this.#received(context));
    return server !== undefined && this.#group.mayHold(server, tried) ? server : null;
  }

  mark(context: RequestFacts, server: Server, edit: HeadEdit): void {
    if (this.#version !== this.#group.version) this.#followGroup();
    const mark = this.#marks.get(server);
    if (mark === undefined) return;
    if (!server.isUsable) this.#memory.note(context.client.key, CLIENTS, server.hash);
    if (this.#received(context) === mark.token) return;
    edit.append(
      'set-cookie',
      'Set-Cookie',
      context.view.scheme === 'https' ? mark.secureCookie : mark.cookie,
    );
    if (this.#nocache) edit.append('cache-control', 'Cache-Control', 'private');
  }

  /**
   * The first cookie of this name with the length of a token, else an empty text. Only a value of that length is looked
   * up, and only once, so that the time taken reveals nothing.
   */
  #received({ view }: RequestFacts): string {
    for (const value of view.cookie(this.#name)) if (value.length === TOKEN_LENGTH) return value;
    return '';
  }
}

function attributesOf({ path, domain, sameSite, maxAge }: CookieBinding): string {
  const site = domain === '' ? '' : `; Domain=${domain}`;
  const life = maxAge === 0 ? '' : `; Max-Age=${maxAge}`;
  return `; Path=${path}${site}; HttpOnly; SameSite=${sameSite}${life}`;
}
