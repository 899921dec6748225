import { didYouMean } from '../base/nearest.js';
import { type SettingReference, SettingsReference } from '../config/reference.js';
import { complain } from './complaint.js';
import type { Paint } from './paint.js';
import type { Terminal } from './terminal.js';
import { wrapWords } from './word-wrap.js';

const WIDTH = 80;
/** Names of keys are listed in columns of this width. */
const COLUMN = 26;

export interface KeyHelpStreams {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
}

/** Is a key of the settings called so? */
export function isKey(name: string): boolean {
  return new SettingsReference().find(name).length > 0;
}

/** Prints the page of one key of the settings file. Returns the exit code: 2 where there is no such key. */
export function keyHelp(name: string, { stdout, stderr }: KeyHelpStreams): number {
  const reference = new SettingsReference();
  const found = reference.find(name);
  const [only] = found;
  if (only === undefined) {
    const advice = didYouMean(reference.suggest(name), 'lb help lists the commands.');
    complain(stderr, `no key is called ${JSON.stringify(name)}. ${advice}`);
    return 2;
  }
  if (found.length === 1) stdout.write(keyPage(only, stdout.paint));
  else
    stdout.write(`Several keys end in ${name}:\n\n${found.map(({ key }) => `  lb help ${key}\n`).join('')}`);
  return 0;
}

/** At most 80 columns wide. */
function keyPage(setting: SettingReference, paint: Paint): string {
  const { key, meaning, form, defaultValue, isRequired, examples, since, keys } = setting;
  const facts: readonly (readonly [string, string])[] = [
    ['Value', form],
    ['Default', defaultValue],
    ['Required', isRequired ? 'yes' : ''],
    ['Since', since],
  ];
  const lines = facts
    .filter(([, fact]) => fact !== '')
    .map(([name, fact]) => wrapWords(`  ${paint.dim(name.padEnd(9))} ${fact}`, WIDTH, 12));
  return [
    `${paint.bold(key)}\n`,
    ...(meaning === '' ? [] : [`${wrapWords(`  ${meaning}`, WIDTH, 2)}\n`]),
    `${lines.join('\n')}\n`,
    ...(examples.length === 0
      ? []
      : [`${paint.bold('Examples')}\n${examples.map((text) => `  ${paint.cyan(text)}`).join('\n')}\n`]),
    ...(keys.length === 0 ? [] : [`${paint.bold('Keys below')}\n${columns(keys.map(lastWord))}\n`]),
  ].join('\n');
}

function lastWord(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1);
}

function columns(words: readonly string[]): string {
  const perLine = Math.floor((WIDTH - 2) / COLUMN);
  const lines: string[] = [];
  for (let i = 0; i < words.length; i += perLine)
    lines.push(
      `  ${words
        .slice(i, i + perLine)
        .map((word) => word.padEnd(COLUMN))
        .join('')}`.trimEnd(),
    );
  return lines.join('\n');
}
