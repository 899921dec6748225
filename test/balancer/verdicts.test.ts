import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { dryServers } from '../../lib/routing/dry-run/dry-servers.js';
import type { RoutingSnapshot } from '../../lib/routing/routing-snapshot.js';
import { SnapshotBuilder } from '../../lib/routing/snapshot-builder.js';
import { startBalancer } from '../support/balancer.js';
import { ManualClock } from '../support/manual-clock.js';

const countsOf = ({ firewalls }: RoutingSnapshot) => firewalls.flatMap((firewall) => firewall.counts);

t.test('the event of a ban has client, firewall and time', async (t) => {
  const { seen, connect } = await startBalancer(t, {
    hosts: [
      {
        host: 'a.test',
        respond: { status: 404 },
        firewall_rules: { ban: { status: [404], count: 2, for: '5m' } },
      },
    ],
  });
  const told: unknown[] = [];
  seen.listen((event) => {
    if (event.what === 'banned') told.push([event.client, event.firewall, event.forMs]);
  });
  const client = await connect();
  for (const status of [404, 404, 403]) {
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
    t.equal((await client.response()).status, status);
  }
  t.same(told, [['127.0.0.1', 'firewall_rules of a.test', 300_000]]);
});

t.test('every guard of every firewall has its counts, once, and keeps them over a reload', async (t) => {
  const clock = new ManualClock();
  const config = createConfig({
    firewall_rules: { ip_reject: ['192.0.2.1'], method_reject: ['TRACE'] },
    hosts: [
      {
        host: 'a.test',
        respond: {},
        firewall_rules: { path_reject: ['/x'], mode: 'observe' },
        paths: [{ path: '/y', respond: {} }],
      },
    ],
  });
  const snapshot = SnapshotBuilder.build(config, { clock, serversOf: dryServers(clock) });
  const counts = [
    { firewall: 'firewall_rules', guard: 'ip_reject', refused: 0, observed: 0 },
    { firewall: 'firewall_rules', guard: 'method_reject', refused: 0, observed: 0 },
    { firewall: 'firewall_rules of a.test', guard: 'path_reject', refused: 0, observed: 0 },
  ];
  t.same(countsOf(snapshot), counts);
  const after = SnapshotBuilder.build(config, { clock, serversOf: dryServers(clock), before: snapshot });
  t.equal(countsOf(after)[0], countsOf(snapshot)[0]);
});
