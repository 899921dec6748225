import t from 'tap';
import { SettingsReference } from '../../lib/config/reference.js';
import { start } from './program.js';

t.test('lb help KEY prints the key, its meaning, default and an example', async (t) => {
  const help = start(t, ['help', 'timeouts.connect']);
  t.equal(await help.end(), 0);
  t.match(help.stdout, /^timeouts\.connect\n/);
  t.match(help.stdout, /Default +3s\n/);
  t.match(help.stdout, /Examples\n +connect: 500ms\n/);
  t.equal(help.stderr, '');
});

t.test('lb help KEY finds a key by its last word, and one below a host', async (t) => {
  const byLastWord = start(t, ['help', 'connect']);
  t.equal(await byLastWord.end(), 0);
  t.match(byLastWord.stdout, /^timeouts\.connect\n/);

  const belowHost = start(t, ['help', 'hosts[0].sticky.cookie']);
  t.equal(await belowHost.end(), 0);
  t.match(belowHost.stdout, /^hosts\.sticky\.cookie\n/);
});

t.test('lb help KEY lists the keys where several have that name', async (t) => {
  const help = start(t, ['help', 'path']);
  t.equal(await help.end(), 0);
  t.match(help.stdout, '  lb help health_check.path\n');
  t.match(help.stdout, '  lb help paths[].path\n');
});

t.test('lb help with an unknown key names the nearest one and exits with 2', async (t) => {
  const help = start(t, ['help', 'timeouts.conect']);
  t.equal(await help.end(), 2);
  t.equal(help.stdout, '');
  t.equal(help.stderr, 'lb: no key is called "timeouts.conect". Did you mean timeouts.connect?\n');
});

t.test(
  'every key of the reference is found by its own name, and no line is wider than 80 columns',
  async (t) => {
    const reference = new SettingsReference();
    t.ok(reference.settings.length > 200);
    for (const { key } of reference.settings)
      t.ok(
        reference.find(key).some((found) => found.key === key),
        key,
      );
    for (const key of ['sticky', 'match', 'passive_health', 'firewall_rules.rate_limit']) {
      const help = start(t, ['help', key]);
      await help.end();
      for (const line of help.stdout.split('\n')) t.ok(line.length <= 80, line);
    }
  },
);

t.test('lb version and lb help say what --version and --help say', async (t) => {
  for (const word of ['version', 'help']) {
    const [command, option] = [start(t, [word]), start(t, [`--${word}`])];
    t.equal(await command.end(), 0);
    await option.end();
    t.equal(command.stdout, option.stdout);
  }
});
