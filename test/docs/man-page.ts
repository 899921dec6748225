import { VERSION } from '../../lib/base/version.js';
import { EXAMPLES, type HelpSection, type Row, SECTIONS, SUMMARY, USAGE } from '../../lib/cli/help.js';
import type { SettingReference, SettingsReference } from '../../lib/config/reference.js';
import { VARIABLE_MEANINGS } from '../../lib/config/template.js';
import { FORMS } from './reference-page.js';

const FILES: readonly Row[] = [
  ['./loadbalancer.yaml', 'the settings, where neither a file nor servers are named'],
  ['/etc/lb/loadbalancer.yaml', 'the settings of the service of the Debian package'],
  ['/etc/default/lb', 'its environment, and more options for it'],
];

const ENVIRONMENT: readonly Row[] = [
  ['LB_ADMIN_TOKEN', 'the token for the admin listener, of the commands for a running balancer'],
  ['NO_COLOR', 'plain text, whatever the terminal can show'],
  ['LB_SOCKETS', 'with the value documented, the sockets that Node documents are used'],
];

const TEMPLATES: readonly Row[] = [
  ['{header.NAME}, {cookie.NAME}, {param.NAME}', 'a field, cookie or parameter of the request'],
  ['{$1} to {$9}', 'a group of the regular expression by which the route was found'],
];

/** lb(1), from what `lb --help` is made of. */
export function commandPage(): string {
  const { signals, exitCodes, ...middle } = SECTIONS;
  return page([
    title('LB', 1, 'User Commands'),
    section('NAME', `lb \\- ${text(SUMMARY)}`),
    section('SYNOPSIS', USAGE.map(usage).join('\n.br\n')),
    section(
      'DESCRIPTION',
      text(
        'lb passes HTTP requests on to one of several servers, leaves out those that fail, and tries a request again where that is safe. Its settings are those of the command line or of a file, see loadbalancer.yaml(5).',
      ),
    ),
    ...Object.values(middle).map(rowsOf),
    section('EXAMPLES', EXAMPLES.map(example).join('\n')),
    rowsOf(signals),
    rowsOf({ ...exitCodes, title: 'Exit status' }),
    rowsOf({ title: 'Environment', rows: ENVIRONMENT }),
    rowsOf({ title: 'Files', rows: FILES }),
    section('SEE ALSO', '.BR loadbalancer.yaml (5)'),
  ]);
}

/** loadbalancer.yaml(5), from the schema. */
export function settingsPage({ settings }: SettingsReference): string {
  const variables = Object.entries(VARIABLE_MEANINGS).map(([name, meaning]): Row => [`{${name}}`, meaning]);
  return page([
    title('LOADBALANCER.YAML', 5, 'File Formats'),
    section('NAME', 'loadbalancer.yaml \\- settings of lb'),
    section(
      'DESCRIPTION',
      text(
        'The file is YAML. Unknown keys are refused; lb check shows every mistake where it is, lb help KEY prints a key of this page, lb init writes a first file. Settings at the top level are the defaults of every host, path and route.',
      ),
    ),
    rowsOf({ title: 'Values', rows: FORMS.map(([written, meaning]) => [written.join(', '), meaning]) }),
    section('KEYS', settings.map(setting).join('\n')),
    rowsOf({ title: 'Templates', rows: [...variables, ...TEMPLATES] }),
    section('SEE ALSO', '.BR lb (1)'),
  ]);
}

function page(parts: readonly string[]): string {
  return `.\\" Written by "make docs": see test/docs/man-page.ts.\n${parts.join('\n')}\n`;
}

function title(name: string, number: number, kind: string): string {
  // Without a date: the version says how old it is, and the page changes with what it describes alone.
  return `.TH ${name} ${number} "" "lb ${VERSION}" "${kind}"\n.nh`;
}

function section(name: string, body: string): string {
  return `.SH ${name}\n${body}`;
}

function usage(words: string): string {
  return `.B lb\n${text(words)}`;
}

function rowsOf({ title: name, rows }: HelpSection): string {
  const entries: { left: string; right: string }[] = [];
  for (const [left, right] of rows) {
    const last = entries.at(-1);
    if (left === '' && last !== undefined) last.right += ` ${right}`;
    else entries.push({ left: left.trim(), right });
  }
  return section(name.toUpperCase(), entries.map(({ left, right }) => entry(left, right)).join('\n'));
}

function example({ what, commands }: (typeof EXAMPLES)[number]): string {
  const lines = commands.map((words) => text(`lb ${words}`)).join('\n');
  return `.PP\n${text(what)}:\n.PP\n.nf\n.RS 4\n${lines}\n.RE\n.fi`;
}

function setting({
  key,
  meaning,
  form,
  defaultValue,
  isRequired,
  examples,
  since,
}: SettingReference): string {
  const facts = [
    form === '' ? '' : `Value: ${form}.`,
    isRequired ? 'Required.' : '',
    defaultValue === '' ? '' : `Default: ${defaultValue}.`,
    `Since ${since}.`,
  ].filter((fact) => fact !== '');
  const shown = examples.map((one) => `\n.br\n${text(one)}`).join('');
  return `${entry(key, meaning)}\n.br\n${text(facts.join(' '))}${shown}`;
}

function entry(left: string, right: string): string {
  return `.TP\n.B ${text(left)}${right === '' ? '' : `\n${text(right)}`}`;
}

/** A line of text as roff takes it for nothing else. */
function text(plain: string): string {
  const line = plain
    .replace(/\s+/g, ' ')
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('"', '\\(dq')
    .replaceAll('…', '...')
    .replace(/[^ -~]/gu, named);
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** A character that is not ASCII, by its number. */
function named(character: string): string {
  return `\\[u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`;
}
