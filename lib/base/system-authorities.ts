import { rootCertificates } from 'node:tls';
import { readRegularFile } from './regular-file.js';

/** Where systems keep the certificate authorities that they trust: Debian and Alpine, Red Hat, SUSE, the BSDs and macOS. */
const BUNDLES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

let known: { readonly by: string; readonly authorities: readonly string[] } | null = null;

/**
 * The certificate authorities that the system trusts, as texts in PEM: those of SSL_CERT_FILE if it is set, be it none; else of
 * the file that the system keeps, else those that Node comes with. NODE_EXTRA_CA_CERTS is added, as Node does it. Read once.
 */
export function systemAuthorities(env: NodeJS.ProcessEnv = process.env): string[] {
  const { SSL_CERT_FILE: file = '', NODE_EXTRA_CA_CERTS: extra = '' } = env;
  const by = `${file}\n${extra}`;
  if (known?.by !== by) {
    const main = file === '' ? ofSystem() : readIfThere(file);
    const more = extra === '' ? '' : readIfThere(extra);
    known = { by, authorities: [main, more].filter((text) => text !== '') };
  }
  return [...known.authorities];
}

function ofSystem(): string {
  for (const path of BUNDLES) {
    const text = readIfThere(path);
    if (text !== '') return text;
  }
  return rootCertificates.join('\n');
}

function readIfThere(path: string): string {
  try {
    const text = readRegularFile(path);
    return text.includes('-----BEGIN') ? text : '';
  } catch {
    return '';
  }
}
