import t from 'tap';
import type { DnsFamily } from '../../lib/config/types.js';
import { parseSlice, serversOf, type WantedPort } from '../../lib/discovery/endpoint-slices.js';

interface Conditions {
  readonly ready?: boolean | null;
  readonly serving?: boolean | null;
  readonly terminating?: boolean | null;
}

const READY: Conditions = { ready: true, serving: true, terminating: false };
const LEAVING: Conditions = { ready: false, serving: true, terminating: true };
const GONE: Conditions = { ready: false, serving: false, terminating: true };
const STARTING: Conditions = { ready: false, serving: false, terminating: false };

const HTTP = [{ name: 'http', port: 8080, protocol: 'TCP' }];

let slices = 0;

/** A slice as the API server sends it; `endpoints`: address, name of the pod, conditions. */
function slice(
  endpoints:
    | readonly (readonly [address: string, pod: string | null, conditions: Conditions | null])[]
    | null,
  { ports = HTTP as unknown, addressType = 'IPv4', name = `api-${slices++}` } = {},
): object {
  return {
    metadata: { name },
    addressType,
    ports,
    endpoints:
      endpoints?.map(([address, pod, conditions]) => ({
        addresses: [address],
        conditions,
        ...(pod === null ? {} : { targetRef: { kind: 'Pod', name: pod } }),
      })) ?? null,
  };
}

/** `name@address` of each server. */
function servers(all: readonly object[], port: WantedPort = null, family: DnsFamily = 'auto'): string {
  return serversOf(all.map(parseSlice), port, family)
    .servers.map(({ name, address }) => `${name ?? ''}@${address}`)
    .join(' ');
}

const STANDINGS: readonly [what: string, conditions: Conditions | null, isUsed: boolean][] = [
  ['ready', READY, true],
  ['not ready yet', STARTING, false],
  ['serving without being ready', { ready: false, serving: true, terminating: false }, false],
  ['gone', GONE, false],
  ['of an unknown state', {}, true],
  ['without conditions', null, true],
  ['of an unknown state, as null', { ready: null, serving: null, terminating: null }, true],
  ['published although it leaves', { ready: true, serving: true, terminating: true }, true],
  ['leaving, without saying whether it serves', { ready: false, terminating: true }, false],
];

for (const [what, conditions, isUsed] of STANDINGS)
  t.test(`an endpoint that is ${what} gets ${isUsed ? 'requests' : 'none'}`, async (t) => {
    t.equal(servers([slice([['10.0.0.1', 'a', conditions]])]), isUsed ? 'a@10.0.0.1:8080' : '');
  });

t.test('endpoints that leave and still serve get requests only while none is ready', async (t) => {
  const leaving = ['10.0.0.1', 'a', LEAVING] as const;
  t.equal(servers([slice([leaving, ['10.0.0.2', 'b', READY]])]), 'b@10.0.0.2:8080');
  t.equal(servers([slice([leaving]), slice([['10.0.0.2', 'b', READY]])]), 'b@10.0.0.2:8080');
  t.equal(servers([slice([leaving, ['10.0.0.2', 'b', STARTING]])]), 'a@10.0.0.1:8080');
  t.equal(servers([slice([['10.0.0.1', 'a', GONE]])]), '');
});

t.test('an endpoint of several slices is one server', async (t) => {
  t.equal(
    servers([
      slice([['10.0.0.1', 'a', READY]]),
      slice([
        ['10.0.0.1', 'a', READY],
        ['10.0.0.2', 'b', READY],
      ]),
    ]),
    'a@10.0.0.1:8080 b@10.0.0.2:8080',
  );
  const stale = slice([['10.0.0.1', 'a', READY]]);
  const other = slice([['10.0.0.2', 'b', READY]]);
  const leaving = slice([['10.0.0.1', 'a', LEAVING]]);
  for (const order of [
    [stale, leaving],
    [leaving, stale],
  ])
    t.equal(servers([...order, other]), 'b@10.0.0.2:8080', 'a pod that leaves does not return');
  for (const order of [
    [leaving, slice([['10.0.0.1', 'new', READY]])],
    [slice([['10.0.0.1', 'new', READY]]), leaving],
  ])
    t.equal(servers(order), 'new@10.0.0.1:8080', 'another pod has its address now');
});

t.test('ports are chosen by name or number, and may differ between slices', async (t) => {
  const two = [
    { name: 'http', port: 8080, protocol: 'TCP' },
    { name: 'metrics', port: 9090 },
    { name: 'dns', port: 53, protocol: 'UDP' },
  ];
  const a = slice([['10.0.0.1', 'a', READY]], { ports: two });
  const b = slice([['10.0.0.2', 'b', READY]], { ports: [{ name: 'http', port: 8081 }] });
  t.equal(servers([a, b], 'http'), 'a@10.0.0.1:8080 b@10.0.0.2:8081');
  t.equal(servers([a, b], 'metrics'), 'a@10.0.0.1:9090', 'those without the port are left out');
  t.equal(servers([a, b], 8081), 'b@10.0.0.2:8081');
  t.equal(servers([b]), 'b@10.0.0.2:8081', 'the only one needs no name');
  t.equal(servers([slice([['10.0.0.1', 'a', READY]], { ports: [{ name: '', port: 80 }] })]), 'a@10.0.0.1:80');
  t.throws(() => servers([a, b]), {
    message: 'several ports, http (8080), metrics (9090), http (8081): write port: NAME',
  });
  t.throws(() => servers([a, b], 'web'), { message: /^no port "web", only http \(8080\)/ });
  t.throws(() => servers([a, b], 'dns'), { message: /^no port "dns"/ }, 'UDP is none');
  t.throws(() => servers([a, b], 70), { message: /^no port 70, only http/ });
});

t.test('slices without ports, as of a headless Service, have the port that the settings name', async (t) => {
  for (const ports of [null, [], [{}]])
    t.equal(servers([slice([['10.0.0.1', 'a', READY]], { ports })], 8080), 'a@10.0.0.1:8080');
  t.throws(() => servers([slice([['10.0.0.1', 'a', READY]], { ports: null })]), {
    message: 'no port: write port: NUMBER',
  });
});

t.test('a Service without pods has no servers, whatever its ports', async (t) => {
  for (const endpoints of [null, []])
    for (const port of [null, 'http', 80]) t.equal(servers([slice(endpoints, { ports: null })], port), '');
  t.equal(servers([], 'http'), '');
});

t.test('of two families a pod is one server, unless both are asked for', async (t) => {
  const v4 = slice([['10.0.0.1', 'a', READY]]);
  const v6 = slice([['fd00::1', 'a', READY]], { addressType: 'IPv6' });
  t.equal(servers([v6, v4]), 'a@10.0.0.1:8080');
  t.equal(servers([v6, v4], null, 'ipv6'), 'a@[fd00::1]:8080');
  t.equal(servers([v6, v4], null, 'both'), 'a@10.0.0.1:8080 a@[fd00::1]:8080');
  t.equal(servers([v6, slice([])]), 'a@[fd00::1]:8080', 'where there is no IPv4');
  t.equal(servers([v6], null, 'ipv4'), '');
});

t.test('slices with names are not followed, and harm no others', async (t) => {
  const names = slice([['db.example.com', null, READY]], { addressType: 'FQDN', name: 'out' });
  const found = serversOf([names, slice([['10.0.0.1', null, READY]])].map(parseSlice), null, 'auto');
  t.same(
    found.servers.map(({ name, address }) => [name, address]),
    [[null, '10.0.0.1:8080']],
  );
  t.equal(found.trouble, 'the EndpointSlice out has names (FQDN), which are not followed: use dns');
});

t.test('servers have the name of their pod, if a server can be called so', async (t) => {
  const [{ name } = { name: '' }] = serversOf(
    [parseSlice(slice([['10.0.0.1', 'x'.repeat(65), READY]]))],
    null,
    'auto',
  ).servers;
  t.equal(name, null);
  const node = { addresses: ['10.0.0.1'], targetRef: { kind: 'Node', name: 'node-1' } };
  const parsed = parseSlice({ metadata: { name: 'a' }, addressType: 'IPv4', ports: HTTP, endpoints: [node] });
  t.equal(serversOf([parsed], null, 'auto').servers[0]?.name, null);
});

t.test('what is no EndpointSlice is refused', async (t) => {
  const bad: readonly unknown[] = [
    null,
    [],
    'text',
    {},
    { metadata: {} },
    { metadata: { name: 'a' }, addressType: 'IPX' },
    { metadata: { name: 'a' }, addressType: 'IPv4', endpoints: {} },
    { metadata: { name: 'a' }, addressType: 'IPv4', endpoints: [7] },
    { metadata: { name: 'a' }, addressType: 'IPv4', endpoints: [{ addresses: ['fd00::1'] }] },
    { metadata: { name: 'a' }, addressType: 'IPv4', endpoints: [{ addresses: [{}] }] },
    { metadata: { name: 'a' }, addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'], conditions: 7 }] },
    { metadata: { name: 'a' }, addressType: 'IPv4', ports: [null] },
  ];
  for (const value of bad) t.throws(() => parseSlice(value), { name: 'ValueError' }, JSON.stringify(value));
});
