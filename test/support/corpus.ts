import { readdirSync, readFileSync } from 'node:fs';
import type { Seen } from './transport.js';

/** One file of `fixtures/wire`, and what its table says of it. */
export interface Sample {
  readonly name: string;
  readonly bytes: Buffer;
  /** `ok` for every whole message, then `partial` or the status of the refusal. */
  readonly outcome: string;
}

const ROOT = new URL('../../../fixtures/wire/', import.meta.url);

/** Every sample of one kind, in the order of its table; throws when table and files don't tally. */
export function readCorpus(kind: 'requests' | 'responses'): Sample[] {
  const folder = new URL(`${kind}/`, ROOT);
  const samples: Sample[] = [];
  for (const line of readFileSync(new URL('verdicts.txt', folder), 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [name = '', outcome = ''] = line.split(/ {2,}/);
    const bytes = readFileSync(new URL(`${name}.http`, folder));
    samples.push({ name, bytes, outcome: outcome === '-' ? '' : outcome });
  }
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.http'));
  const missing = files.filter((file) => !samples.some(({ name }) => `${name}.http` === file));
  if (missing.length > 0) throw new Error(`not in ${kind}/verdicts.txt: ${missing.join(', ')}`);
  return samples;
}

/** What was seen, in the words of the tables. */
export function outcomeOf(seen: Seen): string {
  const words = seen.messages.filter(({ end }) => end !== -1).map(() => 'ok');
  if (seen.outcome !== 'whole') words.push(String(seen.outcome));
  return words.join(' ');
}
