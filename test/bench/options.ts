import { parseArgs } from 'node:util';
import { ALL_PEERS, MAIN_PEERS } from './peer.js';
import { ROWS, type Row } from './row.js';

export interface Options {
  readonly rows: readonly Row[];
  readonly peers: readonly string[];
  /** Whole seconds of each trial, and how many of them each peer gets. */
  readonly seconds: number;
  readonly rounds: number;
  readonly json: string | undefined;
  readonly profile: boolean;
  /** Passed on to lb. */
  readonly lbOptions: readonly string[];
}

export const USAGE = `usage: node dist/test/bench/main.js [options] [-- options for lb]
  --rows NAMES     default all: ${ROWS.map((row) => row.name).join(',')}
  --peers NAMES    default ${MAIN_PEERS.join(',')};
                   more: ${ALL_PEERS.slice(MAIN_PEERS.length).join(',')}; or all;
                   NAME=PATH/bin/lb.js is another build of lb
  --seconds N      of each trial, default 2
  --rounds N       trials of each peer in each row, taken in turn, default 7
  --json FILE      every sample, for a machine
  --profile        where lb spends its time in the first of the rows; no comparison
`;

/** Reads the command line; the usage when it was asked for. Throws an Error with one line on what is wrong. */
export function parseOptions(args: readonly string[]): Options | 'help' {
  const end = args.indexOf('--');
  const { values } = parseArgs({
    args: end < 0 ? [...args] : args.slice(0, end),
    options: {
      rows: { type: 'string' },
      peers: { type: 'string', default: MAIN_PEERS.join(',') },
      seconds: { type: 'string', default: '2' },
      rounds: { type: 'string', default: '7' },
      json: { type: 'string' },
      profile: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  return {
    rows: values.rows === undefined ? ROWS : values.rows.split(',').flatMap(rowsNamed),
    peers: values.peers === 'all' ? ALL_PEERS : values.peers.split(','),
    seconds: count('--seconds', values.seconds),
    rounds: count('--rounds', values.rounds),
    json: values.json,
    profile: values.profile,
    lbOptions: end < 0 ? [] : args.slice(end + 1),
  };
}

/** The row of a name, or all whose names begin with it and a dash. */
function rowsNamed(name: string): Row[] {
  const rows = ROWS.filter((row) => row.name === name || row.name.startsWith(`${name}-`));
  if (rows.length > 0) return rows;
  throw new Error(`--rows: no row ${name}; there are ${ROWS.map((known) => known.name).join(', ')}`);
}

function count(option: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`${option}: a whole number from 1, not ${text}`);
  return Number(text);
}
