import { hostname } from 'node:os';
import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { resourceText } from '../../lib/observe/otlp/resource.js';
import { FakeSubject } from '../admin/fake-subject.js';
import { openAdmin } from '../admin/support.js';
import { startBalancer } from '../support/balancer.js';
import { RawClient } from '../support/client.js';
import { nothingIsLeft } from '../support/leaks.js';

const idOf = (settings: Parameters<typeof createConfig>[0]): unknown => {
  const { tracing } = createConfig(settings);
  const { resource } = JSON.parse(`{${resourceText(tracing!.collector)}}`);
  return resource.attributes.find(({ key }: { key: string }) => key === 'service.instance.id').value
    .stringValue;
};

t.test('a balancer is called as the settings say, else like the machine', async (t) => {
  const tracing = { otlp: 'http://127.0.0.1:4318' };
  t.equal(idOf({ tracing }), hostname());
  t.equal(idOf({ tracing, instance: 'edge-1' }), 'edge-1');
  for (const [settings, name] of [
    [{}, hostname()],
    [{ instance: 'edge-1' }, 'edge-1'],
  ] as const) {
    const { balancer } = await startBalancer(t, {
      servers: ['127.0.0.1:9'],
      health_check: false,
      ...settings,
    });
    t.equal(balancer.status().instance, name);
  }
});

t.test('a node that shares has the same name, unless it has one of its own', async (t) => {
  const redis = 'redis://127.0.0.1:1';
  const nodeOf = async (settings: object, shared: object = {}): Promise<string | undefined> => {
    const servers = { servers: ['127.0.0.1:9'], health_check: false as const };
    const { balancer } = await startBalancer(t, { ...servers, ...settings, shared: { redis, ...shared } });
    return balancer.status().shared?.node;
  };
  t.equal(await nodeOf({}), hostname());
  t.equal(await nodeOf({ instance: 'edge-1' }), 'edge-1');
  t.equal(await nodeOf({ instance: 'edge-1' }, { node: 'other' }), 'other');
});

t.test('the stream of events names the balancer', async (t) => {
  const subject = new FakeSubject();
  const { port } = await openAdmin(t, subject);
  const client = await RawClient.connect(port);
  t.teardown(() => client.destroy());
  client.send('GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await client.until('retry: 2000\n\n');
  subject.note('up', 'apple', 'after 3 s');
  t.match(await client.until('}\n\n'), `"instance":"${hostname()}"}\n`);
});

nothingIsLeft(t);
