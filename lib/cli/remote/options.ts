import type { RequestFilterName } from '../../observe/request-filter.js';
import type { NewServerView } from './view.js';

/** What is asked of live requests, as the API takes it. */
export type RequestQuery = { readonly [name in RequestFilterName]?: string };

/** A command for a running balancer. */
export type Action =
  | { readonly kind: 'status' | 'servers'; readonly watch: boolean }
  | { readonly kind: 'drain'; readonly server: string; readonly wait: boolean }
  | { readonly kind: 'ready' | 'maintenance' | 'remove'; readonly server: string }
  | {
      readonly kind: 'close_host';
      readonly host: string;
      /** null: it does not end by itself. */
      readonly forMs: number | null;
      readonly allow: readonly string[];
    }
  | { readonly kind: 'open_host'; readonly host: string }
  | { readonly kind: 'tail'; readonly filter: RequestQuery }
  | { readonly kind: 'weight'; readonly server: string; readonly weight: number }
  | { readonly kind: 'add'; readonly server: NewServerView }
  | { readonly kind: 'unban'; readonly client: string }
  /** `timeoutMs`: null for the default of the balancer. */
  | { readonly kind: 'upgrade'; readonly timeoutMs: number | null }
  | {
      readonly kind: 'bans';
      /** An address or CIDR; null: every client. */
      readonly client: string | null;
      /** A part of the name of a firewall; null: every one. */
      readonly rule: string | null;
    }
  | { readonly kind: 'reload' | 'top' };

/** Which admin listener to ask. */
export interface AdminAddressOptions {
  /** As written on the command line; null: it is looked up. */
  readonly admin: string | null;
  readonly configFile: string | null;
}

export interface RemoteOptions extends AdminAddressOptions {
  readonly json: boolean;
  readonly action: Action;
}

/** `--admin` as written: an address, or `https://` and an address. */
export function readAdminOption(text: string): { readonly address: string; readonly isEncrypted: boolean } {
  const [, address] = /^https:\/\/([^/]+)\/?$/.exec(text) ?? [];
  return { address: address ?? text, isEncrypted: address !== undefined };
}
