import t from 'tap';
import { completeWords } from '../../lib/cli/complete-words.js';

const KNOWN = {
  servers: async () => ['apple', 'localhost:5001'],
  routes: async () => ['default', 'www.a.test'],
};

/** What the last of the words may become. */
function complete(words: string): Promise<readonly string[]> {
  return completeWords(words.split(' '), KNOWN);
}

t.test('commands, by their beginning', async (t) => {
  t.same(await complete('re'), ['ready', 'remove', 'reload']);
  t.ok((await complete('')).includes('explain'));
  t.same(await complete('8080'), [], 'a port is no command');
  t.same(await complete('8080 '), []);
});

t.test('names of servers are completed from the running balancer', async (t) => {
  for (const command of ['drain', 'ready', 'maintenance', 'weight', 'remove']) {
    t.same(await complete(`${command} `), ['apple', 'localhost:5001'], command);
  }
  t.same(await complete('drain lo'), ['localhost:5001']);
  t.same(await complete('drain --wait --admin 127.0.0.1:9090 a'), ['apple']);
  t.same(await complete('weight apple '), []);
  t.same(await complete('add '), []);
});

t.test('options of the command at hand', async (t) => {
  t.same(await complete('drain --w'), ['--wait']);
  t.same(await complete('status --w'), ['--watch']);
  t.same(await complete('8080 --acc'), ['--access-log', '--access-log-file']);
  t.same(await complete('--he'), ['--health-path', '--health-interval', '--help']);
});

t.test('values of options, where they are known', async (t) => {
  t.same(await complete('--access-log d'), ['dev']);
  t.same(await complete('-a least'), ['least_connections', 'least_response_time']);
  t.same(await complete('add localhost:1 --route '), ['default', 'www.a.test']);
  t.same(await complete('check -c lo'), [], 'files are the affair of the shell');
  t.same(await complete('add --name drain '), [], 'a value is no command');
  t.same(await complete('completion '), ['bash', 'zsh']);
  t.same(await complete('explain P'), ['POST', 'PUT', 'PATCH']);
});
