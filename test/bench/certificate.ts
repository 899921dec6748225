import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestAuthority } from '../support/certificates.js';

/** The certificate that all peers show: ECDSA P-256, as most sites have. */
const issued = await (await TestAuthority.create()).issue({ names: ['localhost', '127.0.0.1'] });

/** Files of the certificate and its key, and one with both, in `folder`. */
export function certificateFiles(folder: string): { cert: string; key: string; both: string } {
  mkdirSync(folder, { recursive: true });
  const [cert, key, both] = ['cert.pem', 'cert.key', 'both.pem'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(cert, issued.cert);
  writeFileSync(key, issued.key, { mode: 0o600 });
  writeFileSync(both, issued.cert + issued.key, { mode: 0o600 });
  return { cert, key, both };
}
