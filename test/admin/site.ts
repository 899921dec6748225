import type { Test } from 'tap';
import { type FixtureServer, startFixtureServer } from '../../fixtures/server.js';
import { Admin } from '../../lib/admin/admin.js';
import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import type { AdminSettings, Settings } from '../../lib/config/settings.js';
import type { Balancer } from '../../lib/control/balancer-contract.js';
import { SWITCHED } from '../support/thread-switch.js';
import { type Ask, asker, SERVICES } from './support.js';

/** A balancer over three real servers, with its admin listener. */
export interface Site {
  readonly balancer: Balancer;
  readonly admin: Admin;
  readonly servers: readonly FixtureServer[];
  /** Of the admin listener. */
  readonly url: string;
  readonly port: number;
  readonly ask: Ask;
  /** Sends a request through the balancer; gives the status. */
  readonly get: (path?: string) => Promise<number>;
}

export async function startSite(
  t: Test,
  settings: Settings = {},
  adminSettings: AdminSettings = {},
): Promise<Site> {
  const names = ['apple', 'banana', 'cherry'];
  const servers = await Promise.all(names.map((name) => startFixtureServer({ name })));
  t.teardown(() => Promise.all(servers.map((server) => server.close())));
  const config = createConfig({
    listen: '127.0.0.1:0',
    admin: { listen: '127.0.0.1:0', ...adminSettings },
    health_check: { path: '/healthcheck', interval: '100ms', rise: 1, fall: 1 },
    servers: servers.map(({ name, address }) => ({ name, address })),
    ...settings,
  });
  const admin = new Admin(config.admin!);
  const balancer = createBalancer(config, admin.observer, SWITCHED);
  t.teardown(() => {
    admin.close();
    balancer.stop();
  });
  await balancer.start();
  await admin.open(balancer, SERVICES);
  const [address] = balancer.addresses;
  const front = address?.kind === 'tcp' ? address.port : 0;
  const port = admin.address.kind === 'tcp' ? admin.address.port : 0;
  const get = async (path = '/'): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${front}${path}`, { headers: { connection: 'close' } });
    await response.arrayBuffer();
    return response.status;
  };
  return { balancer, admin, servers, port, url: `http://127.0.0.1:${port}/`, ask: asker(port), get };
}
