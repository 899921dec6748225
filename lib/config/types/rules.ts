import type { AddressEntry } from '../address-file.js';
import type { PathPattern } from '../pattern.js';
import type { RegexConfig } from '../regex.js';
import type { Template } from '../template.js';
import type { FieldMatch, StatusRange } from './values.js';

/** Changes to a head. Every list is in the order in which it is applied, the outermost settings first. */
export interface RulesConfig {
  /** The Host that the server gets: the client's, the server's own address, or a text. */
  readonly host: 'client' | 'server' | Template;
  readonly path: readonly PathRule[];
  readonly params: readonly ParamRule[];
  readonly cookies: readonly CookieRule[];
  readonly headers: readonly HeaderRule[];
  readonly responseHeaders: readonly HeaderRule[];
  /** The innermost first: the first that fits is taken, or of several types the one that the client prefers. */
  readonly errorPages: readonly ErrorPageConfig[];
}

/** What a client gets in place of the short text of an error. */
export interface ErrorPageConfig {
  /** Of errors only, from 400. */
  readonly statuses: readonly StatusRange[];
  readonly contentType: string;
  /** Bytes as latin1, with placeholders. */
  readonly body: string;
  /** The name of the file that the body was read from; null: the settings have it. */
  readonly file: string | null;
  /** Does it also replace such responses of servers? */
  readonly servers: boolean;
}

/**
 * `name` is as written and is sent, `key` is its lower case. Never Host, nor a field that frames messages. `set`
 * replaces every field of the name by one; `replace` changes each value where `find` matches.
 */
export type HeaderRule =
  | {
      readonly kind: 'set';
      readonly name: string;
      readonly key: string;
      readonly value: Template;
      /** Only in responses to a client that speaks https: RFC 6797, 7.2 forbids Strict-Transport-Security in others. */
      readonly secure?: true;
    }
  | { readonly kind: 'append'; readonly name: string; readonly key: string; readonly value: Template }
  | { readonly kind: 'remove'; readonly name: string; readonly key: string }
  | { readonly kind: 'replace'; readonly name: string; readonly key: string; readonly edit: Edit };

/** Names and values are decoded; other parameters keep their order and their encoding. */
export type ParamRule =
  | { readonly kind: 'set'; readonly name: string; readonly value: Template }
  | { readonly kind: 'remove'; readonly name: string };

export type CookieRule =
  | { readonly kind: 'set'; readonly name: string; readonly value: Template }
  | {
      readonly kind: 'remove';
      readonly name: string;
      /** Set by `sticky`, not by `cookie_rules`. */
      readonly sticky?: true;
    };

export type PathRule =
  /** Removes whole segments at the start, if they are there: `/img` of `/img/a` leaves `/a`, of `/img` leaves `/`. */
  | { readonly kind: 'strip_prefix'; readonly prefix: string }
  | { readonly kind: 'add_prefix'; readonly prefix: Template }
  /** Replaces these segments wherever they occur in sequence: `v1` in `/v1/a` but not in `/v10`. */
  | { readonly kind: 'replace_segments'; readonly from: readonly string[]; readonly to: Template }
  | { readonly kind: 'replace'; readonly edit: Edit };

/** Every occurrence of `find` is replaced. `{ kind: 'group' }` in `to` is a group of `find`. */
export interface Edit {
  readonly find: RegexConfig | string;
  readonly to: Template;
}

/** Guards in the order of their fields; the first refusal wins. */
export interface FirewallConfig {
  /**
   * `firewall_rules`, or with its scope: `firewall_rules of www.mango.com/img`. Unique, independent of its place in the
   * file, and the name in counts and logs.
   */
  readonly name: string;
  /** The names that it would have by the other names of its host. */
  readonly aliases: readonly string[];
  readonly line: number;
  /** `observe` counts and logs what it would have refused, and lets it pass. */
  readonly mode: 'enforce' | 'observe';
  readonly ipReject: readonly AddressEntry[];
  /** null: everyone who is not rejected. Otherwise only these. */
  readonly ipAllow: readonly AddressEntry[] | null;
  /**
   * For `Config.firewall`: connections open at once, checked at accept. For a route's: requests in flight. 0 is no
   * limit.
   */
  readonly maxConnectionsPerIp: number;
  readonly ban: BanConfig | null;
  readonly methodReject: readonly string[];
  readonly pathReject: readonly PathPattern[];
  readonly headerReject: readonly FieldMatch[];
  readonly rateLimit: RateLimitConfig | null;
}

/** A bucket of `burst` tokens for each key, refilled evenly by `requests` in `per` ms. */
export interface RateLimitConfig {
  readonly requests: number;
  readonly per: number;
  readonly burst: number;
  readonly key: RateLimitKey;
  readonly status: number;
}

/** Requests without the header or cookie are counted by client_ip. */
export type RateLimitKey =
  | { readonly kind: 'client_ip' }
  | { readonly kind: 'header' | 'cookie'; readonly name: string };

/** A client that got `count` responses with one of these statuses `within` ms is refused `for` ms. */
export interface BanConfig {
  readonly status: readonly StatusRange[];
  readonly count: number;
  readonly within: number;
  readonly for: number;
}
