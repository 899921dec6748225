import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Program } from '../cli/support.js';

const README = readFileSync(new URL('../../../docs/embedding.md', import.meta.url), 'utf8');
const [section = ''] = README.split('## Embed it')[1]?.split('\n## ') ?? [];

/** What stands between fences: the program, and what it prints. */
const [source = '', printed = ''] = [...section.matchAll(/```\w*\n(.*?)```\n/gs)].map((match) => match[1]);

t.test(
  'the example of docs/embedding.md runs, prints what it says it prints, and ends when told',
  async (t) => {
    const example = source.replace('127.0.0.1:8080', '127.0.0.1:0');
    // Inside the package, so that its own name leads to it, by its exports.
    const directory = t.testdir({ 'example.mjs': example });
    const program = new Program([], {}, join(directory, 'example.mjs'));
    t.teardown(() => program.kill());
    await program.onStdout(/(running.*\n)/);
    t.equal(program.stdout, printed);
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0, program.stderr);
  },
);
