import { existsSync } from 'node:fs';
import { loadConfig } from '../config/config.js';
import { MOST_SHOWN, renderProblems } from '../config/problems.js';
import type { Config } from '../config/types.js';
import { type Examined, examineCertificates } from '../control/certificates.js';
import type { CertificateStatus } from '../control/status/status.js';
import { escapeForScreen } from '../observe/escape.js';
import type { CertsOptions } from './args.js';
import { findingsJson, renderFindings, shortPath } from './certificate-report.js';
import type { Terminals } from './check.js';
import { complain, writeReport } from './complaint.js';
import { count, humanDuration } from './error-text.js';
import type { Paint } from './paint.js';
import { AdminError, findAdminAddress } from './remote/admin-address.js';
import { AdminClient } from './remote/client.js';
import { type Column, renderTable } from './remote/columns.js';
import type { CertificateView } from './remote/view.js';
import { DEFAULT_FILE, problemPaint, readConfig, StartSettingsError } from './start-settings.js';

const DAY_MS = 24 * 3_600_000;

/** What the table shows of a certificate, of the file or of a running balancer. */
type Shown = Pick<
  CertificateStatus,
  'name' | 'names' | 'issuer' | 'file' | 'source' | 'state' | 'problems'
> & {
  readonly keyType: string;
  readonly notAfter: number;
};

/**
 * Shows the certificates that a settings file names or, with `--admin`, those that a running balancer shows to clients.
 * Returns the exit code: 0 when all can be used and none has expired.
 */
export async function certs(options: CertsOptions, terminals: Terminals): Promise<number> {
  try {
    return options.admin === null ? ofFile(options, terminals) : await ofBalancer(options, terminals);
  } catch (error) {
    const { stderr } = terminals;
    if (error instanceof StartSettingsError) writeReport(stderr, error.report);
    else if (error instanceof AdminError) complain(stderr, escapeForScreen(error.message));
    else throw error;
    return 1;
  }
}

function ofFile(options: CertsOptions, { stdout }: Terminals): number {
  const { configFile, json } = options;
  const file = configFile ?? DEFAULT_FILE;
  const { certificates: all, findings, included } = examineFile(file);
  const certificates = all.filter(chosenBy(options));
  if (json) {
    const found = { certificates: certificates.map(toJson), findings: findingsJson(findings, included) };
    stdout.write(`${JSON.stringify({ file, ...found }, null, 2)}\n`);
  } else {
    stdout.write(table(certificates, stdout.columns, stdout.paint));
    stdout.write(renderFindings(findings, file, included, stdout.paint));
  }
  const isBad = findings.some(({ severity }) => severity === 'error');
  return isBad || certificates.some(({ state }) => state === 'expired') ? 1 : 0;
}

function examineFile(file: string): Examined & Pick<Config, 'included'> {
  const text = readConfig(file);
  const result = loadConfig(text, { file });
  if (!result.ok) {
    const paint = { paint: problemPaint(PLAIN) };
    const { problems, included } = result;
    const shown = { file, text, included, most: MOST_SHOWN, ...paint };
    throw new StartSettingsError(renderProblems(problems, shown));
  }
  const { config } = result;
  return { ...examineCertificates(config), included: config.included };
}

const same = (text: string): string => text;
const PLAIN = { bold: same, cyan: same, green: same, dim: same, red: same } as unknown as Paint;

async function ofBalancer(options: CertsOptions, { stdout }: Terminals): Promise<number> {
  const client = new AdminClient(findAdminAddress(options, process.env, existsSync));
  try {
    const isChosen = chosenBy(options);
    const certificates = (await client.certificates()).filter((one) => isChosen(fromView(one)));
    if (options.json) stdout.write(`${JSON.stringify({ certificates }, null, 2)}\n`);
    else stdout.write(table(certificates.map(fromView), stdout.columns, stdout.paint));
    return certificates.some(({ state }) => state === 'expired') ? 1 : 0;
  } finally {
    client.close();
  }
}

/** Those for the host, and those that expire in time; a host below a wildcard is one of its names. */
function chosenBy({
  host,
  within,
}: CertsOptions): (one: Pick<CertificateStatus, 'names' | 'notAfter'>) => boolean {
  const wildcard = host?.replace(/^[^.]*/, '*');
  return ({ names, notAfter }) =>
    (host === null || names.some((name) => name === host || name === wildcard)) &&
    (within === null || notAfter - Date.now() <= within);
}

function fromView({ key_type: keyType, not_after: notAfter, ...rest }: CertificateView): Shown {
  return { ...rest, keyType, notAfter };
}

function table(certificates: readonly Shown[], width: number, paint: Paint): string {
  if (certificates.length === 0) return 'no certificates\n';
  const problems = certificates.flatMap(({ name, problems: all }) =>
    all.map((problem) => `${paint.yellow(`${name}:`)} ${escapeForScreen(problem)}\n`),
  );
  const total = paint.dim(`${count(certificates.length, 'certificate')}`);
  return `${renderTable(COLUMNS, certificates, width, paint)}${problems.join('')}${total}\n`;
}

const COLUMNS: readonly Column<Shown>[] = [
  { heading: 'NAMES', text: ({ names, name }) => escapeForScreen(namesText(names, name)), atLeast: 20 },
  { heading: 'EXPIRES', text: ({ notAfter }) => new Date(notAfter).toISOString().slice(0, 10), tint },
  { heading: 'IN', text: ({ notAfter }) => leftText(notAfter), tint, right: true },
  { heading: 'KEY', text: ({ keyType }) => keyType, dispensable: 2 },
  { heading: 'ISSUER', text: ({ issuer }) => escapeForScreen(issuer), dispensable: 3, atLeast: 12 },
  {
    heading: 'FROM',
    text: ({ file, source }) => (file === '' ? source : escapeForScreen(shortPath(file))),
    dispensable: 1,
    atLeast: 12,
  },
];

function namesText(names: readonly string[], name: string): string {
  const [first = name, second, ...more] = names;
  if (second === undefined) return first;
  return more.length === 0 ? `${first}, ${second}` : `${first} and ${more.length + 1} more`;
}

function leftText(notAfter: number): string {
  const left = notAfter - Date.now();
  if (left <= 0) return 'expired';
  return left >= 2 * DAY_MS ? `${Math.floor(left / DAY_MS)} days` : humanDuration(left);
}

function tint({ state }: Shown, paint: Paint): (text: string) => string {
  if (state === 'valid') return paint.green;
  return state === 'expiring' ? paint.yellow : paint.red;
}

function toJson({ keyType, notBefore, notAfter, ...rest }: CertificateStatus): object {
  return { ...rest, key_type: keyType, not_before: notBefore, not_after: notAfter };
}
