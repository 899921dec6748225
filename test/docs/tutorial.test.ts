import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { freePorts } from '../bench/machine.js';
import { blocksOf, ROOT } from './markdown.js';
import { looksAsShown, ShellSession } from './session.js';

t.setTimeout(300_000);

/** The ports of the page; the test uses free ones in their place. */
const PORTS = ['8080', '9090', '5001', '5002'];

t.test('every step of the tutorial prints what the page shows', { timeout: 240_000 }, async (t) => {
  const free = await freePorts(PORTS.length);
  const moved = (text: string): string =>
    PORTS.reduce((moving, port, index) => moving.replaceAll(port, String(free[index])), text);
  const cwd = t.testdir({});
  for (const name of ['bin', 'dist', 'lib', 'node_modules', 'package.json'])
    symlinkSync(join(ROOT, name), join(cwd, name));
  const session = new ShellSession(cwd, { ...process.env, NO_COLOR: '1', LB_ADMIN: '' });
  t.teardown(() => session.close());
  const page = { path: 'docs/tutorial.md', text: readFileSync(join(ROOT, 'docs/tutorial.md'), 'utf8') };
  let steps = 0;
  for (const { language, text, line } of blocksOf(page)) {
    if (language === 'yaml') writeFileSync(join(cwd, 'loadbalancer.yaml'), moved(text));
    if (language !== 'console') continue;
    for (const { command, shown } of stepsOf(text)) {
      steps++;
      const output = await session.run(moved(command), (printed) => looksAsShown(printed, moved(shown)));
      t.ok(
        looksAsShown(output, moved(shown)),
        `tutorial.md:${line} $ ${command}\n--- shown\n${shown}\n--- printed\n${output}`,
      );
      // A program in the background needs a moment until it listens.
      if (command.endsWith('&'))
        await session.run(
          `for i in $(seq 100); do ${listens(moved(command))} && break; sleep 0.1; done`,
          () => true,
        );
    }
  }
  t.ok(steps > 25);
});

interface Step {
  readonly command: string;
  readonly shown: string;
}

function stepsOf(text: string): readonly Step[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((step) => {
      const [command = '', ...shown] = step.replace(/\n$/, '').split('\n');
      // Where nothing is shown a program in the background may still say something.
      return { command, shown: shown.length === 0 ? '…' : shown.join('\n') };
    });
}

/** A command that succeeds as soon as the program answers. */
function listens(command: string): string {
  const port = /--port (\d+)|lb\.js (\d+)/.exec(command);
  const number = port?.[1] ?? port?.[2];
  return number === undefined
    ? "curl -s -o /dev/null $(sed -n 's/^listen: /localhost:/p' loadbalancer.yaml)/"
    : `curl -s -o /dev/null localhost:${number}/livez`;
}
