import t from 'tap';
import type { DevLayout } from '../../lib/observe/formats/dev.js';
import { recordOf } from './record.js';

// Local time is part of two formats; no formatter may be loaded before the zone is chosen.
process.env.TZ = 'Asia/Kolkata';
const { combinedLine, combinedLineOf } = await import('../../lib/observe/formats/combined.js');
const { devLine, shorten } = await import('../../lib/observe/formats/dev.js');
const { jsonLine, jsonLineOf } = await import('../../lib/observe/formats/json.js');

const plain = (text: string): string => text;
const noPaint = { dim: plain, green: plain, cyan: plain, yellow: plain, red: plain };
const marked = {
  dim: (text: string) => `<dim ${text}>`,
  green: (text: string) => `<green ${text}>`,
  cyan: (text: string) => `<cyan ${text}>`,
  yellow: (text: string) => `<yellow ${text}>`,
  red: (text: string) => `<red ${text}>`,
};

t.test('json', async (t) => {
  t.test('is one object per line, byte for byte', async (t) => {
    t.equal(
      jsonLine(recordOf()),
      '{"ts":"2026-01-31T12:04:05.067Z","request_id":"7f3a","client":"192.0.2.7","method":"GET",' +
        '"target":"/users?id=3","host":"www.mango.com","protocol":"HTTP/1.1","route":"www.mango.com","status":200,' +
        '"server":"mango-1","attempts":1,"tries":[{"server":"mango-1","result":"200","ms":1.200,"reused":true}],' +
        '"duration_ms":1.250,"queue_ms":0.000,"connect_ms":0.000,"first_byte_ms":0.988,"bytes_in":0,"bytes_out":61,' +
        '"reason":"","detail":"","user_agent":"curl/8.5.0"}\n',
    );
  });

  t.test('gives back what came in, whatever bytes a client sends', async (t) => {
    const every = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
    for (const field of [
      'requestId',
      'clientAddress',
      'method',
      'target',
      'host',
      'userAgent',
      'detail',
      'server',
      'route',
      'userAgent',
    ] as const) {
      const line = jsonLine(recordOf({ [field]: every }));
      t.match(line, /^[\x20-\x7e]*\n$/, `${field}: nothing but printable ASCII reaches the line`);
      t.ok(Object.values(JSON.parse(line)).includes(every), `${field}: nothing is lost`);
    }
  });

  t.test('has null where no response byte came, and the reason', async (t) => {
    const line = JSON.parse(jsonLine(recordOf({ firstByteMs: -1, reason: 'connect_refused', status: 502 })));
    t.match(line, { first_byte_ms: null, reason: 'connect_refused', status: 502 });
  });

  t.test('is written alike on the short way and on the long one', async (t) => {
    const plain = jsonLine(recordOf());
    const odd = jsonLine(recordOf({ userAgent: '"' }));
    t.equal(odd.replace('"user_agent":"\\""', '"user_agent":"curl/8.5.0"'), plain);
  });

  t.test('tells of every attempt', async (t) => {
    const tries = [
      { server: 'a', reason: 'stale', status: 0, durationMs: 0.1, reused: true },
      { server: 'a', reason: 'connect_refused', status: 0, durationMs: 0.25, reused: false },
      { server: 'b"', reason: '', status: 204, durationMs: 3, reused: true },
    ] as const;
    const line = JSON.parse(jsonLine(recordOf({ tries, attempts: 2, queueMs: 1.5, connectMs: 0.25 })));
    t.match(line, { queue_ms: 1.5, connect_ms: 0.25 });
    t.same(line.tries, [
      { server: 'a', result: 'stale', ms: 0.1, reused: true },
      { server: 'a', result: 'connect_refused', ms: 0.25, reused: false },
      { server: 'b"', result: '204', ms: 3, reused: true },
    ]);
    t.same(JSON.parse(jsonLine(recordOf({ tries: [], attempts: 0, server: '' }))).tries, []);
  });

  t.test('can have fewer fields, in an order of its own, or the referer and the trace too', async (t) => {
    const line = jsonLineOf(['status', 'ts', 'referer', 'trace_id'], 'edge-1');
    t.equal(
      line(recordOf({ referer: 'http://a/\n', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' })),
      '{"status":200,"ts":"2026-01-31T12:04:05.067Z","referer":"http://a/\\n","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}\n',
    );
  });

  t.test('carries times over a second and rounds up through the point', async (t) => {
    const line = jsonLine(recordOf({ durationMs: 61_000.9996, firstByteMs: 0 }));
    t.match(line, '"duration_ms":61001.000,"queue_ms":0.000,"connect_ms":0.000,"first_byte_ms":0.000');
  });
});

t.test('combined', async (t) => {
  t.test("is nginx's combined and three fields more, byte for byte", async (t) => {
    t.equal(
      combinedLine(recordOf({ referer: 'http://a.example/', durationMs: 1234.4 })),
      '192.0.2.7 - - [31/Jan/2026:17:34:05 +0530] "GET /users?id=3 HTTP/1.1" 200 61 ' +
        '"http://a.example/" "curl/8.5.0" 1.234 mango-1 7f3a\n',
    );
  });

  t.test('shows a dash for what is not there', async (t) => {
    const record = recordOf({
      method: '',
      target: '',
      server: '',
      userAgent: '',
      requestId: '',
      status: 400,
    });
    t.equal(
      combinedLine(record),
      '192.0.2.7 - - [31/Jan/2026:17:34:05 +0530] "-" 400 61 "-" "-" 0.001 - -\n',
    );
  });

  t.test('can have other fields behind', async (t) => {
    const line = combinedLineOf(['duration_ms', 'tries', 'host', 'reason', 'detail'], 'edge-1');
    t.equal(
      line(recordOf({ host: 'a b', detail: 'x "y"' })),
      '192.0.2.7 - - [31/Jan/2026:17:34:05 +0530] "GET /users?id=3 HTTP/1.1" 200 61 "-" "curl/8.5.0" ' +
        '1.250 mango-1:200:1.200:reused a\\x20b - "x \\x22y\\x22"\n',
    );
  });

  t.test('lets no client forge a line or a field', async (t) => {
    const line = combinedLine(
      recordOf({ userAgent: 'a" 200 1 "b\\', target: '/\x1b[31m\xe9', referer: 'x\r\ny', requestId: 'a b' }),
    );
    t.match(line, '"GET /\\x1b[31m\\xe9 HTTP/1.1"');
    t.match(line, '"x\\x0d\\x0ay" "a\\x22 200 1 \\x22b\\x5c"');
    t.match(line, /mango-1 a\\x20b\n$/);
  });
});

t.test('dev', async (t) => {
  const layout: DevLayout = { columns: 80, serverWidth: 8, showsHost: false, paint: noPaint };

  t.test('is one line in columns, byte for byte', async (t) => {
    t.equal(
      devLine(recordOf(), layout),
      '17:34:05  GET     /users?id=3                             200  mango-1    1.3 ms\n',
    );
    t.equal(
      devLine(recordOf({ method: 'OPTIONS', durationMs: 12_345, status: 0, server: '' }), layout),
      '17:34:05  OPTIONS /users?id=3                             ---  -          12.3 s\n',
    );
  });

  t.test('shows the host where there are several, once', async (t) => {
    const shown = { ...layout, showsHost: true };
    t.match(devLine(recordOf({ host: 'www.mango.com:8080' }), shown), 'GET     www.mango.com/users?id=3 ');
    t.match(
      devLine(recordOf({ host: 'a.test', target: 'http://a.test/x' }), shown),
      'GET     http://a.test/x ',
    );
    t.match(devLine(recordOf({ host: '', target: '' }), shown), 'GET     - ');
  });

  t.test('says how often a request was tried that failed in the end', async (t) => {
    const tries = ['mango-1', 'mango-2'].map((server) => ({
      server,
      reason: 'connect_refused' as const,
      status: 0,
      durationMs: 1,
      reused: false,
    }));
    const line = devLine(recordOf({ status: 502, reason: 'connect_refused', attempts: 2, tries }), {
      ...layout,
      columns: 200,
    });
    t.match(line, '(2 attempts: mango-1 connect_refused, mango-2 connect_refused)');
  });

  t.test('never is wider than the terminal, down to 60 columns', async (t) => {
    const long = `/${'segment/'.repeat(40)}end`;
    for (const columns of [60, 80, 104, 132, 200]) {
      for (const reason of ['', 'reset_before_response'] as const) {
        for (const method of ['GET', 'PROPPATCH']) {
          const record = recordOf({
            target: long,
            method,
            reason,
            durationMs: 99_999,
            server: 'm'.repeat(40),
          });
          const lines = devLine(record, { ...layout, columns, serverWidth: 40 })
            .trimEnd()
            .split('\n');
          for (const line of lines) t.ok(line.length <= columns, `${line.length} of ${columns}`);
        }
      }
    }
  });

  t.test('cuts the middle of a long target', async (t) => {
    t.equal(shorten('/aaaaaaaaaa/zzzzzzzzzz', 11), '/aaaa…zzzzz');
    t.equal(shorten('/aaaaaaaaaa/zzzzzzzzzz', 11).length, 11);
    t.equal(shorten('/short', 11), '/short');
  });

  t.test('cuts the end of a reason that is too long, not what it means', async (t) => {
    const tries = [{ server: 'm'.repeat(60), reason: 'connect_refused' as const, status: 0 }];
    const record = {
      ...recordOf({ status: 502, reason: 'connect_refused', attempts: 1 }),
      attempts: 2,
      tries,
    };
    const [, note = ''] = devLine(record, { ...layout, columns: 80 }).split('\n');
    t.match(note, /^ {10}connect_refused: nothing listens at the address of the server \(2 .*…$/);
    t.equal(note.length, 80);
  });

  t.test('cuts nothing where there is no terminal', async (t) => {
    const target = `/${'x'.repeat(300)}`;
    const line = devLine(recordOf({ target, reason: 'no_server', status: 503 }), {
      ...layout,
      columns: Number.POSITIVE_INFINITY,
    });
    t.equal(
      line,
      `17:34:05  GET     ${target}  503  mango-1    1.3 ms  no_server: every server is down, or failed when it was tried\n`,
    );
  });

  t.test('says why a request failed: on the line where it fits, else below', async (t) => {
    const record = recordOf({ status: 502, reason: 'connect_refused', detail: 'ECONNREFUSED' });
    const why = 'connect_refused: nothing listens at the address of the server';
    t.equal(devLine(record, layout).split('\n')[1], `          ${why}`);
    t.ok(devLine(record, { ...layout, columns: 170 }).endsWith(`502  mango-1    1.3 ms  ${why}\n`));
    t.match(devLine(recordOf({ attempts: 2 }), { ...layout, columns: 120 }), / {2}2 attempts\n$/);
    const failed = {
      server: 'mango-2',
      reason: 'connect_refused',
      status: 0,
      durationMs: 1,
      reused: false,
    } as const;
    const tries = [failed, ...recordOf().tries];
    t.match(
      devLine(recordOf({ attempts: 2, tries }), { ...layout, columns: 120 }),
      / {2}2 attempts: mango-2 connect_refused\n$/,
    );
  });

  t.test('says exactly what was wrong with a request where that is known', async (t) => {
    const record = recordOf({ status: 400, reason: 'bad_request', detail: 'more than one Host field' });
    t.equal(devLine(record, layout).split('\n')[1], '          bad_request: more than one Host field');
  });

  t.test('colours the status by its class', async (t) => {
    const colours = { 101: 'dim', 204: 'green', 301: 'cyan', 404: 'yellow', 503: 'red' };
    for (const [status, colour] of Object.entries(colours)) {
      const line = devLine(recordOf({ status: Number(status) }), { ...layout, paint: marked });
      t.match(line, `<${colour} ${status}>`);
    }
  });

  t.test('shows control bytes instead of sending them to the terminal', async (t) => {
    t.match(devLine(recordOf({ target: '/\x1b]0;x\x07\x9b' }), layout), '/\\x1b]0;x\\x07\\x9b ');
  });
});
