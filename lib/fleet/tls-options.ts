import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { SharedConfig } from '../config/types.js';

/** How certificates of Redis are verified. */
export interface TlsOptions {
  readonly ca?: string;
  /** The name that the server is asked for by. */
  readonly servername?: string;
  readonly checkServerIdentity?: typeof checkServerIdentity;
}

/**
 * One server is asked for by its name. Sentinels and the nodes of a cluster tell of further servers, mostly by their
 * addresses: their certificates are of what they are reached by, or of a name of the settings. Undefined without TLS.
 */
export function tlsOptions({ redis, kind, pem }: SharedConfig): TlsOptions | undefined {
  const urls = redis.map((url) => new URL(url));
  if (urls.every(({ protocol }) => protocol !== 'rediss:')) return undefined;
  const names = urls.map(hostOf);
  const [first = ''] = names;
  const ca = pem === null ? {} : { ca: pem };
  if (kind === 'single') return { ...ca, ...(isIP(first) === 0 && { servername: first }) };
  return {
    ...ca,
    checkServerIdentity: (host: string, certificate: PeerCertificate) => {
      const isNamed = (name: string): boolean => checkServerIdentity(name, certificate) === undefined;
      return names.some(isNamed) ? undefined : checkServerIdentity(host, certificate);
    },
  };
}

/** The host of a URL; an IPv6 address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}
