import t from 'tap';
import { parseAddress } from '../../../lib/base/address.js';
import { createConfig } from '../../../lib/config/config.js';
import { checkRequestOf } from '../../../lib/control/health/check-request.js';
import { objectionToHead } from '../../../lib/control/health/expectation.js';
import { responseHead } from '../../http/heads.js';

const { healthCheck } = createConfig({
  servers: ['localhost:1'],
  health_check: { headers: { 'X-City': 'Zürich \u010a' }, expect_header: { 'X-City': 'Zürich' } },
});

t.test('non-ASCII text in a health check is sent as UTF-8, never as a control character', async (t) => {
  if (healthCheck === null) throw new Error('there is no check');
  const { request } = checkRequestOf(healthCheck, parseAddress('localhost:1', { defaultHost: '' }));
  t.ok(request.includes(`X-City: ${Buffer.from('Zürich \u010a').toString('latin1')}\r\n`));
  t.match(Buffer.from(request, 'latin1').toString('utf8'), /\r\nX-City: Zürich \u010a\r\n/);
});

t.test('the text that a health check expects is compared as UTF-8', async (t) => {
  if (healthCheck === null) throw new Error('there is no check');
  const head = (city: string) => responseHead(`HTTP/1.1 200 OK\r\nX-City: ${city}\r\n\r\n`);
  t.equal(objectionToHead(healthCheck, head(Buffer.from('Zürich').toString('latin1'))), '');
  t.not(objectionToHead(healthCheck, head('Z\xfcrich')), '');
});
