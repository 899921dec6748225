import type { Address } from '../../base/address.js';

/** One place where clients connect. */
export interface ListenerConfig {
  readonly address: Address;
  /** null: plain HTTP. Listeners with the same terms share one object. */
  readonly tls: TlsConfig | null;
  /** `https`: every request but those of ACME is redirected to the same URL with https. */
  readonly redirect: 'https' | null;
  /** The networks, as written, from which a PROXY header is required and believed; other peers are refused. null: none is read. */
  readonly proxyProtocol: readonly string[] | null;
  /** The mode of a Unix socket's file, such as 0o660; null: as the umask has it. */
  readonly mode: number | null;
  /** Connections open at once on this listener, within `limits.connections`; null: no limit of its own. */
  readonly connections: number | null;
}

/** How connections of clients are encrypted. */
export interface TlsConfig {
  /** In the order of the file: the first is the default. */
  readonly certificates: readonly CertificateConfig[];
  /** A certificate of the local certificate authority for development: `tls: internal`. */
  readonly internal: boolean;
  /** null: no certificate is ordered. */
  readonly acme: AcmeConfig | null;
  readonly minVersion: TlsVersion;
  /** As OpenSSL writes them, colons between; null: the defaults. */
  readonly ciphers: string | null;
  /** A handshake for a name without a certificate is refused. */
  readonly strictSni: boolean;
  /** null: clients are not asked for certificates. */
  readonly clientAuth: ClientAuthConfig | null;
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

/** Where certificates are read. All paths are absolute. */
export interface CertificateConfig {
  /** A PEM file with the chain (and the key, if `key` is null), or a folder of such files. */
  readonly cert: string;
  readonly key: string | null;
  /** The passphrase of an encrypted key; null: none. */
  readonly passphrase: string | null;
  /** Takes the place of that of the listener; undefined: that of the listener. */
  readonly clientAuth: ClientAuthConfig | null | undefined;
  /** The line in the file, from 1; 0 when it comes from elsewhere. */
  readonly line: number;
}

export interface ClientAuthConfig {
  /** A PEM file of certificate authorities; absolute. */
  readonly ca: string;
  /** A PEM file of certificate revocation lists; absolute. null: none. */
  readonly crl: string | null;
  readonly mode: 'request' | 'require';
}

/** Certificates by RFC 8555. */
export interface AcmeConfig {
  /** The URL of the directory. */
  readonly directory: string;
  /** null: none is given to the authority. */
  readonly email: string | null;
  /** Names, in lower case. */
  readonly hosts: readonly string[];
  /** The same by certificate: one for each group. */
  readonly groups: readonly (readonly string[])[];
  /** The folder for account and certificates; absolute. */
  readonly store: string;
  readonly challenge: 'http-01' | 'tls-alpn-01';
  /** External account binding; null: none. */
  readonly externalAccount: { readonly kid: string; readonly hmacKey: string } | null;
  /** A PEM file of the authority that signs the directory's own certificate; absolute. null: those of the system. */
  readonly ca: string | null;
}

/** How connections to a server are encrypted. All paths are absolute. */
export interface ServerTlsConfig {
  /** The name that is sent and that its certificate must have. null: the host of its address. */
  readonly serverName: string | null;
  readonly verify: boolean;
  /** A PEM file of certificate authorities; null: those of the system. */
  readonly ca: string | null;
  /** Our certificate and key; null: none. */
  readonly cert: string | null;
  readonly key: string | null;
  readonly passphrase: string | null;
  readonly minVersion: TlsVersion;
  /** What the files held when the settings were read. */
  readonly pem: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null };
  /** The same for equal terms, the content of the files included. */
  readonly digest: string;
}
