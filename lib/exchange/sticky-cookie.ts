import { createHmac } from 'node:crypto';
import { hashText } from '../base/hash.js';
import type { StickyConfig } from '../config/types.js';
import type { HeadEdit } from '../http/head-edit.js';
import type { Server } from '../servers/server.js';
import type { ServerGroup } from '../servers/server-group.js';
import type { Sticky } from './context.js';
import type { RequestFacts } from './request-key.js';
import type { StickyMemory } from './sticky-memory.js';

/** Characters of base64url that are kept of a hash: 132 bits, of which no two equal ones can be found. */
const TOKEN_LENGTH = 22;

export type CookieBinding = Extract<StickyConfig, { kind: 'cookie' }>;

/** Clients by their addresses, for want of a better name of each. */
const CLIENTS = hashText('client');

/** What one server is called in cookies. */
interface Mark {
  readonly token: string;
  /** The Set-Cookie of a client that came over http, and of one that came over https. */
  readonly cookie: string;
  readonly secureCookie: string;
}

/**
 * What servers are called in cookies, by one secret. A hash takes 4 µs, which 10,000 servers in 10,000 routes would make
 * long: each is made once, for all routes, and kept over a reload.
 */
export class StickyTokens {
  readonly #secret: string | Buffer;
  readonly #byName = new Map<string, string>();
  #before: StickyTokens | null;

  /** `before`: those by the same secret that were used until now. */
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

  /** All that are wanted have been asked for: those of servers that are gone are forgotten. */
  settle(): void {
    this.#before = null;
  }
}

/**
 * Binds clients by a cookie of our own, which names a server by a keyed hash of its name: it shows no address,
 * can't be made up, and means the same to every balancer with the same secret, in whatever order servers are listed.
 * Hashes are made once for each server; a request costs a look into its cookies and one into a map.
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
  /** Of the group, as of when the marks were made. */
  #version = -1;

  /**
   * `tokens`: of the secret in the settings, or another. `memory` is told which clients still come to a server that
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

  /** Servers have come or gone since the last request: those that came get their marks, what is known of the others stays. */
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
    // Browsers take no other.
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
   * The first of the name that can be a token, else an empty text: what a client sends is looked up once, and only when
   * it has the right length, so that how long it takes says nothing.
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
