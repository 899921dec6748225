import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LAUNCHER } from './support.js';

/** Presses Tab at the end of a line in a real bash, and gives what it offers. */
async function tab(t: Test, line: string, asked = ''): Promise<string[]> {
  const folder = t.testdir();
  const lb = join(folder, 'lb');
  // Answers as lb does, or what a running balancer would know.
  const known = asked === '' ? '' : `[ "$2" = words ] && { printf '%s\\n' ${asked}; exit; }\n`;
  writeFileSync(lb, `#!/bin/sh\n${known}exec ${process.execPath} ${LAUNCHER} "$@"\n`);
  chmodSync(lb, 0o755);
  const script = `
    source <(lb completion bash)
    COMP_LINE=$1 COMP_POINT=\${#1}
    complete -p lb >&2
    _lb lb
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const bash = spawn('bash', ['--norc', '-c', script, 'bash', line], {
    env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
    cwd: folder,
  });
  let offered = '';
  let errors = '';
  bash.stdout.on('data', (text) => {
    offered += text;
  });
  bash.stderr.on('data', (text) => {
    errors += text;
  });
  await once(bash, 'close');
  t.match(errors, /-F _lb lb/, 'it is in force');
  return offered.split('\n').filter((word) => word !== '');
}

t.test('bash completes commands and options', async (t) => {
  t.same(await tab(t, 'lb ma'), ['maintenance']);
  t.same(await tab(t, 'lb drain --w'), ['--wait']);
  t.same(await tab(t, 'lb explain -c '), [], 'files are left to bash');
});

t.test('what bash takes for a word of its own is not said twice', async (t) => {
  t.same(await tab(t, 'lb drain localhost:50', 'localhost:5001 localhost:5002'), ['5001', '5002']);
  t.same(await tab(t, 'lb drain loc', 'localhost:5001'), ['localhost:5001']);
});
