import * as tls from 'node:tls';
import { rootCertificates } from 'node:tls';
import { atOnce } from '../../base/slices.js';
import { systemClock } from '../../base/timer-wheel.js';
import type { TlsConfig } from '../../config/types.js';
import { textOf } from '../../shared/shared-text.js';
import { readPem } from '../../tls/certificate-files.js';
import { CertificateStore } from '../../tls/certificate-store.js';
import { CertificateError, Findings } from '../../tls/finding.js';
import { authorityFile, authorityFolder } from '../../tls/local-authority.js';

/** How a command knows that it talks to its balancer, as options of a request. */
export type AdminTrust = Pick<tls.ConnectionOptions, 'ca' | 'allowPartialTrustChain' | 'checkServerIdentity'>;

/**
 * Trusts the authorities of the system, the local one, and the certificates of the settings file themselves: these for any
 * name, since the listener is mostly reached as 127.0.0.1.
 */
export function trustIn(config: TlsConfig | null, env: NodeJS.ProcessEnv): AdminTrust {
  const ca = [...rootCertificates];
  const known = new Set<string>();
  // Node reads the variable for connections without a list of authorities only.
  for (const file of [authorityFile(authorityFolder(env)), env.NODE_EXTRA_CA_CERTS ?? '']) {
    const text = file === '' ? null : readPem(file, new Findings(0));
    if (text !== null) ca.push(text);
  }
  for (const { published, leaf } of config === null ? [] : pairsOf(config)) {
    ca.push(textOf(published.certPem));
    known.add(leaf.facts.fingerprint);
  }
  return {
    ca,
    allowPartialTrustChain: true,
    checkServerIdentity: (host, cert) =>
      known.has(cert.fingerprint256.replaceAll(':', '').toLowerCase())
        ? undefined
        : tls.checkServerIdentity(host, cert),
  };
}

function pairsOf(config: TlsConfig) {
  const store = new CertificateStore({ clock: systemClock });
  try {
    store.install(atOnce(store.prepare([config], true)));
    return store.held.map(({ pair }) => pair);
  } catch (error) {
    if (error instanceof CertificateError) return [];
    throw error;
  } finally {
    store.stop();
  }
}
