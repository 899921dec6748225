import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LAUNCHER } from './support.js';

t.setTimeout(180_000);

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

t.test('completion in bash does not repeat the part before a colon', async (t) => {
  t.same(await tab(t, 'lb drain localhost:50', 'localhost:5001 localhost:5002'), ['5001', '5002']);
  t.same(await tab(t, 'lb drain loc', 'localhost:5001'), ['localhost:5001']);
});

const ZSH_IS_HERE = spawnSync('zsh', ['-f', '-c', 'zmodload zsh/zpty']).status === 0;

// A zsh of its own on a pseudo-terminal, with nobody's settings and zsh's own completion. After Tab, ^X shows the line.
const PRESS_TAB = String.raw`
zmodload zsh/zpty
zpty inner zsh -f -i
zpty -w inner 'autoload -Uz compinit; compinit -u -D; source <(lb completion zsh)'
zpty -w inner 'show() { print -r -- "<$BUFFER>" }; zle -N show; bindkey "^X" show; print rea""dy'
zpty -r inner out '*ready*'
for line; do
  zpty -w -n inner $'\C-u'"$line"$'\t\C-x'
  zpty -r inner out '*<lb *>*'
  print -r -- "$out"
done
zpty -d inner`;

t.test(
  'a real zsh completes commands, options, names of servers and files',
  { skip: !ZSH_IS_HERE && 'no zsh' },
  async (t) => {
    const folder = t.testdir({
      lb: `#!/bin/sh
case "$*" in
  'completion words -- drain localhost:50') echo localhost:5001 ;;
  *) exec ${process.execPath} ${LAUNCHER} "$@" ;;
esac
`,
      'loadbalancer.yaml': '',
    });
    chmodSync(join(folder, 'lb'), 0o755);
    const typed = ['lb ma', 'lb drain apple --w', 'lb drain localhost:50', 'lb check -c loadb'];
    const zsh = spawn('zsh', ['-f', '-c', PRESS_TAB, 'zsh', ...typed], {
      env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
      cwd: folder,
    });
    // What is never offered would be waited for without end.
    const patience = setTimeout(() => zsh.kill('SIGKILL'), 120_000);
    let lines = '';
    zsh.stdout.on('data', (text) => {
      lines += text;
    });
    await once(zsh, 'close');
    clearTimeout(patience);
    const shown = Array.from(lines.matchAll(/<(lb [^>]*)>/g), ([, line]) => line);
    t.same(shown, [
      'lb maintenance ',
      'lb drain apple --wait ',
      'lb drain localhost:5001 ',
      'lb check -c loadbalancer.yaml ',
    ]);
  },
);
