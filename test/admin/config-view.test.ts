import { join } from 'node:path';
import t from 'tap';
import { configView } from '../../lib/admin/config-view.js';
import { createConfig } from '../../lib/config/config.js';

t.test('a body is shown as it is written, and one of a file by its name', async (t) => {
  const file = join(t.testdir({ 'page.html': 'what it holds' }), 'page.html');
  const { rest } = createConfig({
    respond: { body: 'Zur\u00fcck' },
    error_pages: [
      { status: 404, file },
      { status: 503, text: 'f\u00fcnf' },
    ],
    paths: [{ path: '/a', respond: { file } }],
  });
  const text = JSON.stringify(configView(rest, 'rest'));
  t.match(text, '"body":"Zur\u00fcck"');
  t.match(text, '"body":"f\u00fcnf"');
  t.match(text, `"file":${JSON.stringify(file)}`);
  t.match(text, '"content_type":"text/html; charset=utf-8"');
  t.notMatch(text, 'what it holds');
});

t.test('fields for a collector are shown without their values, whatever they are called', async (t) => {
  const headers = { 'X-Honeycomb-Team': 's3cr3t', 'X-Tenant': 's3cr3t' };
  const { tracing, metrics } = createConfig({
    tracing: { otlp: 'http://collector:4318', headers },
    metrics: { otlp: 'http://collector:4318', headers },
  });
  for (const [key, part] of Object.entries({ tracing, metrics })) {
    const text = JSON.stringify(configView(part, key));
    t.match(text, '"name":"X-Honeycomb-Team"');
    t.match(text, 'http://collector:4318/v1/');
    t.notMatch(text, 's3cr3t');
  }
});
