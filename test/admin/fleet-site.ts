import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fleet, serverName } from '../../fixtures/fleet.js';
import { Admin } from '../../lib/admin/admin.js';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import type { Settings } from '../../lib/config/settings.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import { SERVICES } from './support.js';

/** A balancer over a fleet of servers that this process is, with its admin listener. */
export interface FleetSite {
  readonly balancer: Balancer;
  /** Of the admin listener. */
  readonly url: string;
  /** Of the balancer. */
  readonly port: number;
  /** The name of a server by its number. */
  readonly nameOf: (index: number) => string;
  /** How servers answer, by their address without the port: the default is 200 after 3 to 15 ms. */
  readonly answers: Map<string, { readonly status?: number; readonly ms?: number }>;
  /** The address of a server without its port. */
  readonly addressOf: (index: number) => string;
  readonly close: () => void;
}

/** So many hosts and servers; `extra`: further settings. */
export async function startFleet(hosts: number, servers: number, extra: Settings = {}): Promise<FleetSite> {
  const answers: FleetSite['answers'] = new Map();
  const upstream = createServer((request, response) => {
    const { status = 200, ms = 3 + Math.random() * 12 } =
      answers.get(request.socket.localAddress ?? '') ?? {};
    setTimeout(() => {
      response.writeHead(status);
      response.end('fine\n');
    }, ms);
  });
  await new Promise<void>((resolve) => upstream.listen(0, '0.0.0.0', resolve));
  const made = fleet(hosts, servers, (upstream.address() as AddressInfo).port);
  const config = createConfig({ listen: '127.0.0.1:0', admin: '127.0.0.1:0', ...made, ...extra } as Settings);
  const admin = new Admin(config.admin!);
  const balancer = createBalancer(config, admin.observer, { configPath: '/etc/lb/loadbalancer.yaml' });
  await balancer.start();
  await admin.open(balancer, SERVICES);
  const addresses = new Map(
    made.hosts.flatMap((host) => host.servers).map(({ name, address }) => [name, address]),
  );
  const [address] = balancer.addresses;
  return {
    balancer,
    answers,
    url: `http://127.0.0.1:${admin.address.kind === 'tcp' ? admin.address.port : 0}/`,
    port: address?.kind === 'tcp' ? address.port : 0,
    nameOf: (index) => serverName(index, servers),
    addressOf: (index) => (addresses.get(serverName(index, servers)) ?? '').replace(/:\d+$/, ''),
    close: () => {
      admin.close();
      balancer.stop();
      upstream.closeAllConnections();
      upstream.close();
    },
  };
}
