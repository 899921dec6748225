import { register } from 'node:module';
import { countWarmGet } from './count.js';
import { startWarmGet } from './warm-get.js';

/**
 * Every function of `lib/` that one warm keep-alive GET runs through, in order and indented by depth, then the sums.
 * `node dist/test/trace/main.js [--counts]`: only the sums, and the calls of each file.
 */
declare global {
  var lbTrace: { enter(called: string): void; leave(): void } | undefined;
}

interface Call {
  readonly called: string;
  readonly depth: number;
}

/** Deeper calls stay within 80 columns. */
const MAX_INDENT = 30;

async function chainOfWarmGet(): Promise<readonly Call[]> {
  register('./instrument.js', import.meta.url);
  const path = await startWarmGet();
  const calls: Call[] = [];
  let depth = 0;
  globalThis.lbTrace = {
    enter: (called) => {
      calls.push({ called, depth });
      depth++;
    },
    leave: () => {
      depth = Math.max(0, depth - 1);
    },
  };
  await path.get();
  globalThis.lbTrace = undefined;
  path.close();
  return calls;
}

function print(calls: readonly Call[]): void {
  for (let i = 0; i < calls.length; ) {
    const { called, depth } = calls[i] as Call;
    let times = 1;
    while (calls[i + times]?.called === called && calls[i + times]?.depth === depth) times++;
    const indent = ' '.repeat(Math.min(depth, MAX_INDENT));
    process.stdout.write(`${indent}${called}${times > 1 ? ` ×${times}` : ''}\n`);
    i += times;
  }
}

if (process.argv.includes('--counts')) {
  const { files, calls, byFile } = await countWarmGet();
  for (const [file, count] of byFile) process.stdout.write(`${String(count).padStart(4)}  ${file}\n`);
  process.stdout.write(`one warm GET runs through ${files} files and ${calls} calls\n`);
} else {
  const chain = await chainOfWarmGet();
  print(chain);
  const files = new Set(chain.map(({ called }) => called.split(':')[0])).size;
  process.stdout.write(
    `one warm GET: ${files} files, ${chain.length} calls (precise: make trace ARGS=--counts)\n`,
  );
}
process.exit(0);
