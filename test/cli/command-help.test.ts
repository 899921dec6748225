import t from 'tap';
import { parseArguments } from '../../lib/cli/args.js';
import { commandHelp } from '../../lib/cli/command-help.js';
import { COMMANDS } from '../../lib/cli/options.js';
import { createPaint } from '../../lib/cli/paint.js';

const paint = createPaint(false);

t.test('every command has a page of its own, at most 80 columns wide', async (t) => {
  for (const command of COMMANDS) {
    const page = commandHelp(command as 'drain', 'lb', paint);
    const [title = '', meaning = ''] = page.split('\n');
    t.match(title, `lb ${command}`, command);
    t.match(meaning, /^ {2}\S/, `${command} is explained`);
    for (const line of page.split('\n')) t.ok(line.length <= 80, line);
  }
});

t.test('a page has the options of its command, and its examples', async (t) => {
  const page = commandHelp('drain', 'lb', paint);
  t.match(page, /^lb drain NAME\n {2}no new requests for a server; --wait waits until\n/);
  t.match(page, '--admin ADDR');
  t.match(page, 'lb drain localhost:5001 --wait');
  t.notMatch(page, '--workers');
});

t.test('help is asked for with the word or the option', async (t) => {
  for (const words of ['help drain', 'drain --help', 'drain a -h'])
    t.match(parseArguments(words.split(' ')).command, { name: 'help', key: 'drain' }, words);
  t.match(parseArguments(['--help']).command, { name: 'help', key: null });
});
