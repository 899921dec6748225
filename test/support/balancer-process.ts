import { createBalancer } from '../../lib/balancer.js';
import { createConfig } from '../../lib/config/config.js';
import { switchedTerms } from './tls-switch.js';

/**
 * A balancer alone in a process, so that its memory can be told from a test's: started with the addresses of its
 * servers, it sends its port, and then its resident bytes whenever it is sent anything.
 */
const config = createConfig({ listen: '127.0.0.1:0', health_check: false, servers: process.argv.slice(2) });
const tls = await switchedTerms();
const balancer = createBalancer(config, {}, tls === null ? {} : { tlsTerms: () => tls });
await balancer.start();
const [address] = balancer.addresses;
process.send?.(address?.kind === 'tcp' ? address.port : 0);
process.on('message', () => {
  globalThis.gc?.();
  process.send?.(process.memoryUsage.rss());
});
process.on('disconnect', () => process.exit());
