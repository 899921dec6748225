import { relative } from 'node:path';
import { escapeForScreen } from '../observe/escape.js';
import type { CertificateFinding } from '../tls/finding.js';
import type { Paint } from './paint.js';

/** Findings as a person reads them, a line or two each. `file`: the settings file; null without one. */
export function renderFindings(
  findings: readonly CertificateFinding[],
  file: string | null,
  paint: Paint,
): string {
  return findings.map((finding) => `${renderFinding(finding, file, paint)}\n`).join('');
}

/** `lb.yaml:14  certs/www.pem: the key does not fit the certificate`. */
function renderFinding(
  { severity, file, line, message, hint }: CertificateFinding,
  settings: string | null,
  paint: Paint,
): string {
  const place = settings === null ? '' : `${paint.bold(line === 0 ? settings : `${settings}:${line}`)}  `;
  const label = severity === 'warning' ? `${paint.yellow('warning:')} ` : '';
  const where = file === '' ? '' : `${paint.cyan(escapeForScreen(shortPath(file)))}: `;
  const advice = hint === '' ? '' : ` ${paint.green(escapeForScreen(hint))}`;
  return `${label}${place}${where}${escapeForScreen(message)}.${advice}`;
}

/** Relative to the working directory when that is shorter. */
export function shortPath(path: string): string {
  const local = relative('', path);
  return local !== '' && local.length < path.length ? local : path;
}
