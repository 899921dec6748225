import t from 'tap';
import { count, humanDuration } from '../../lib/cli/error-text.js';
import { explainFailure } from '../../lib/cli/failure.js';
import { renderHead } from '../../lib/cli/heads.js';
import { helpText } from '../../lib/cli/help.js';
import { createPaint } from '../../lib/cli/paint.js';

t.test('the help fits a terminal of 80 columns and ends with its line', async (t) => {
  for (const program of ['lb', 'node bin/lb.js', 'node ../../../bin/lb.js']) {
    const text = helpText(program, createPaint(false));
    for (const line of text.split('\n')) t.ok(line.length <= 80, line);
    t.match(text, /[^\n]\n$/);
  }
});

t.test('the help names every option', async (t) => {
  const text = helpText('lb', createPaint(false));
  const options = ['config', 'health-path', 'health-interval', 'access-log', 'access-log-file'];
  for (const option of [...options, 'quiet', 'verbose', 'no-color', 'help', 'version']) {
    t.match(text, new RegExp(`--${option}\\b`));
  }
});

t.test('a length of time', async (t) => {
  const cases: Record<string, number> = {
    '0 ms': 0,
    '450 ms': 450,
    '1 s': 1000,
    '59 s': 59_400,
    '1 min': 60_000,
    '2 min 5 s': 125_000,
    '3 h': 3 * 3_600_000 + 5000,
    '3 h 10 min': 3 * 3_600_000 + 600_000,
    '2 d 4 h': 52 * 3_600_000,
  };
  for (const [text, ms] of Object.entries(cases)) t.equal(humanDuration(ms), text);
  t.equal(count(1, 'request'), '1 request');
  t.equal(count(0, 'request'), '0 requests');
});

t.test('heads for a learner', async (t) => {
  t.test('are shown line by line as they came', async (t) => {
    t.equal(
      renderHead('GET /a HTTP/1.1\r\nHost: x\r\nX-Two:  b \r\n\r\n', '>'),
      '> GET /a HTTP/1.1\n> Host: x\n> X-Two:  b\n>\n',
    );
  });

  t.test('hide credentials and the values of cookies', async (t) => {
    const head = [
      'GET / HTTP/1.1',
      'authorization: Bearer abc.def',
      'Proxy-Authorization: c2VjcmV0',
      'Cookie: sid=s3cret; theme=dark;odd',
      'Set-Cookie: sid=s3cret=x; Path=/; HttpOnly',
      'X-Kept: kept',
    ];
    t.equal(
      renderHead(`${head.join('\r\n')}\r\n\r\n`, '<'),
      '< GET / HTTP/1.1\n< authorization: Bearer ***\n< Proxy-Authorization: ***\n' +
        '< Cookie: sid=***; theme=***;***\n< Set-Cookie: sid=***; Path=/; HttpOnly\n< X-Kept: kept\n<\n',
    );
  });

  t.test('never drive the terminal', async (t) => {
    t.equal(
      renderHead('GET /\x1b[2J HTTP/1.1\r\nA: \x9b\r\n\r\n', '>'),
      '> GET /\\x1b[2J HTTP/1.1\n> A: \\x9b\n>\n',
    );
  });
});

t.test('an error of the system becomes a line that says what to do', async (t) => {
  const failed = (code: string, more: object = {}): Error =>
    Object.assign(new Error(`${code}: failed`), { code, syscall: 'x', ...more });
  const listening = { listening: true } as const;
  t.match(
    explainFailure(failed('EADDRINUSE', { port: 8080, address: '::' }), listening),
    /^port 8080 is in use\./,
  );
  t.match(
    explainFailure(failed('EACCES', { port: 80, address: '::' }), listening),
    /^port 80 needs privileges\./,
  );
  t.match(
    explainFailure(failed('EADDRNOTAVAIL', { port: 80, address: '192.0.2.1' }), listening),
    /192\.0\.2\.1:80/,
  );
  t.match(
    explainFailure(failed('EADDRINUSE', { address: '/run/lb.sock' }), listening),
    /\/run\/lb\.sock: .*Remove/,
  );
  t.match(
    explainFailure(failed('ENOENT'), { reading: 'lb.yaml' }),
    /^cannot read lb\.yaml: there is no such file/,
  );
  t.match(explainFailure(failed('EACCES'), { writing: '/var/x' }), /^cannot write \/var\/x: its permissions/);
  t.equal(explainFailure(new TypeError('a bug'), listening), null, 'a bug is not explained away');
});
