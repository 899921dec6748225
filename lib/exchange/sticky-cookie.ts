import { createHmac } from 'node:crypto';
import { hashText } from '../base/hash.js';
import type { StickyConfig } from '../config/types.js';
import type { HeadEdit } from '../http/head-edit.js';
import type { Server } from '../servers/server.js';
import type { ServerGroup } from '../servers/server-group.js';
import type { RequestContext } from './context.js';
import type { Sticky } from './sticky.js';
import type { StickyMemory } from './sticky-memory.js';

/** Characters of base64url that are kept of a hash: 132 bits, of which nobody finds two that are equal. */
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
 * Binds clients by a cookie of our own, which names a server by a keyed hash of its name: it tells nobody an address,
 * can't be made up, and means the same to every balancer with the same secret, in whatever order servers are listed.
 * Hashes are made once; a request costs a look into its cookies and one into a map.
 */
export class StickyCookie implements Sticky {
  readonly #name: string;
  readonly #group: ServerGroup;
  readonly #byToken = new Map<string, Server>();
  readonly #memory: StickyMemory;
  readonly #nocache: boolean;
  readonly #marks = new Map<Server, Mark>();

  /** `secret`: in place of one in the settings. `memory` is told who still comes to a server that gets nobody new. */
  constructor(config: CookieBinding, secret: string | Buffer, group: ServerGroup, memory: StickyMemory) {
    const { name } = config;
    this.#group = group;
    this.#memory = memory;
    this.#nocache = config.nocache;
    this.#name = name;
    const attributes = attributesOf(config);
    const secure = `; Secure${config.partitioned ? '; Partitioned' : ''}`;
    for (const server of group.servers) {
      const token = tokenOf(server.name, secret);
      const plain = `${name}=${token}${attributes}`;
      const secureCookie = `${plain}${secure}`;
      // Browsers take no other.
      const cookie = config.sameSite === 'None' ? secureCookie : plain;
      this.#byToken.set(token, server);
      this.#marks.set(server, { token, cookie, secureCookie });
    }
  }

  serverFor(context: RequestContext, tried: readonly Server[]): Server | null {
    const server = this.#byToken.get(this.#received(context));
    return server !== undefined && this.#group.mayHold(server, tried) ? server : null;
  }

  mark(context: RequestContext, server: Server, edit: HeadEdit): void {
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
  #received({ view }: RequestContext): string {
    for (const value of view.cookie(this.#name)) if (value.length === TOKEN_LENGTH) return value;
    return '';
  }
}

function attributesOf({ path, domain, sameSite, maxAge }: CookieBinding): string {
  const site = domain === '' ? '' : `; Domain=${domain}`;
  const life = maxAge === 0 ? '' : `; Max-Age=${maxAge}`;
  return `; Path=${path}${site}; HttpOnly; SameSite=${sameSite}${life}`;
}

function tokenOf(name: string, secret: string | Buffer): string {
  return createHmac('sha256', secret).update(name).digest('base64url').slice(0, TOKEN_LENGTH);
}
