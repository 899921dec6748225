import {
  ACCESS_LOG_FORMATS,
  ALGORITHMS,
  COMMANDS,
  type CommandName,
  isCommand,
  OPTIONS,
  type OptionName,
  takes,
} from './options.js';

/** Names that only a running balancer knows. */
export interface Known {
  servers(): Promise<readonly string[]>;
  routes(): Promise<readonly string[]>;
}

/** The methods that `lb explain` is mostly used with. */
const METHODS = ['GET', 'HEAD', 'QUERY', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const ABOUT_A_SERVER: readonly CommandName[] = ['drain', 'ready', 'maintenance', 'weight', 'remove'];

/** The possible completions of the last word. Empty when the shell knows better (files), or there are none. */
export async function completeWords(words: readonly string[], known: Known): Promise<readonly string[]> {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const offered = await offer(before, typed, known);
  return offered.filter((word) => word.startsWith(typed));
}

async function offer(before: readonly string[], typed: string, known: Known): Promise<readonly string[]> {
  const asking = optionOf(before.at(-1) ?? '');
  if (asking !== null && OPTIONS[asking].type === 'string') return valuesOf(asking, known);
  const operands = operandsOf(before);
  const command: CommandName = isCommand(operands[0]) ? operands[0] : 'run';
  if (typed.startsWith('-')) return optionsOf(command);
  if (operands.length === 0) return COMMANDS;
  if (operands.length > 1) return [];
  if (ABOUT_A_SERVER.includes(command)) return known.servers();
  if (command === 'completion') return ['bash', 'zsh'];
  if (command === 'help') return COMMANDS;
  return command === 'explain' ? METHODS : [];
}

async function valuesOf(option: OptionName, known: Known): Promise<readonly string[]> {
  if (option === 'access-log') return ACCESS_LOG_FORMATS;
  if (option === 'algorithm') return ALGORITHMS;
  if (option === 'workers') return ['auto'];
  // Routes are called by their hosts.
  if (option === 'host') return (await known.routes()).filter((name) => /^[^/# ]+$/.test(name));
  return option === 'route' ? known.routes() : [];
}

function optionsOf(command: CommandName): string[] {
  return names()
    .filter((name) => takes(command, name))
    .map((name) => `--${name}`);
}

/** The words that are neither options nor values of options. */
function operandsOf(words: readonly string[]): string[] {
  return words.filter((word, index) => {
    if (word.startsWith('-')) return false;
    const option = optionOf(words[index - 1] ?? '');
    return option === null || OPTIONS[option].type !== 'string';
  });
}

/** The option that a word names, in its long or short form. */
function optionOf(word: string): OptionName | null {
  const found = names().find((name) => {
    const option = OPTIONS[name];
    return word === `--${name}` || ('short' in option && word === `-${option.short}`);
  });
  return found ?? null;
}

function names(): OptionName[] {
  return Object.keys(OPTIONS) as OptionName[];
}
