import { EXAMPLES, type Row, SECTIONS } from './help.js';
import { COMMON, type CommandName, type OptionName, TAKES } from './options.js';
import type { Paint } from './paint.js';

const LEFT_WIDTH = 25;

/** An entry of the general help: its lines after the first have an empty left side. */
type Entry = readonly Row[];

/** The page of one command: what it does, its options, and examples. At most 80 columns wide. */
export function commandHelp(command: Exclude<CommandName, 'run'>, program: string, paint: Paint): string {
  const sections = Object.values(SECTIONS).map(({ rows }) => entriesOf(rows));
  const isOwn = (entry: Entry): boolean => formOf(entry, command) !== undefined;
  const section = sections.find((entries) => entries.some(isOwn)) ?? [];
  const own = section.find(isOwn) ?? [];
  const text = own.map(([, right]) => right).join(' ');
  // An option may mean something else elsewhere.
  const entries = [...section, ...sections.flat()];
  const form = formOf(own, command) ?? command;
  const options = [...TAKES[command], ...COMMON]
    .filter((option) => !text.includes(`--${option}`))
    .flatMap((option) => explanationOf(option, entries));
  const examples = EXAMPLES.flatMap(({ what, commands }) =>
    commands.some((words) => words.split(' ')[0] === command) ? [{ what, commands }] : [],
  );
  const shown = examples.map(
    ({ what, commands }) =>
      `  ${paint.dim(`# ${what}`)}\n${commands.map((words) => `  ${program} ${words}\n`).join('')}`,
  );
  return [
    `${paint.bold(`${program} ${form}`)}\n${own.map(([, right]) => `  ${right}\n`).join('')}`,
    `${paint.bold('Options')}\n${options.map((row) => line(row, paint)).join('')}`,
    ...(shown.length === 0 ? [] : [`${paint.bold('Examples')}\n${shown.join('')}`]),
  ].join('\n');
}

function line([left, right]: Row, paint: Paint): string {
  return `  ${paint.cyan(left.padEnd(LEFT_WIDTH))}${right}\n`;
}

function entriesOf(rows: readonly Row[]): Entry[] {
  const entries: Row[][] = [];
  for (const row of rows) {
    if (row[0] === '') entries.at(-1)?.push(row);
    else entries.push([row]);
  }
  return entries;
}

/** `drain NAME`, of the entry that is about the command; `status, servers` is about two. */
function formOf([first]: Entry, command: string): string | undefined {
  return first?.[0].split(', ').find((part) => part === command || part.startsWith(`${command} `));
}

/** What is said of an option; nothing where the text of its command says it. */
function explanationOf(option: OptionName, entries: readonly Entry[]): Entry {
  const isAbout = ([first]: Entry): boolean =>
    first !== undefined && new RegExp(`^(?: {4}|-\\w, )--${option}(?: |$)`).test(first[0]);
  return entries.find(isAbout) ?? [];
}
