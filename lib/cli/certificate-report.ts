import { relative } from 'node:path';
import { type IncludedFile, lineIn, placeJson } from '../config/sources.js';
import { escapeForScreen } from '../observe/escape.js';
import type { CertificateFinding } from '../tls/finding.js';
import type { Paint } from './paint.js';

/**
 * Findings as a person reads them, a line or two each. `file`: the settings file; null without one. `included`: the files
 * that it includes.
 */
export function renderFindings(
  findings: readonly CertificateFinding[],
  file: string | null,
  included: readonly IncludedFile[],
  paint: Paint,
): string {
  const rendered = findings.map((finding) => {
    if (file === null) return renderFinding(finding, null, paint);
    const place = lineIn(finding.line, file, included);
    return renderFinding({ ...finding, line: place.line }, place.file, paint);
  });
  return rendered.map((text) => `${text}\n`).join('');
}

/** The same for JSON: the line is one of the file that `settings` names where another file was included. */
export function findingsJson(
  findings: readonly CertificateFinding[],
  included: readonly IncludedFile[],
): object[] {
  return findings.map((finding) => {
    const { file: settings, line } = placeJson(finding.line, included);
    return { ...finding, line, ...(settings === undefined ? {} : { settings }) };
  });
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
