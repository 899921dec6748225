import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import type { SharedConfig } from '../../lib/config/types.js';
import { openRedis } from '../../lib/fleet/redis-client.js';
import { deadAddress } from '../support/origin.js';
import { until } from './nodes.js';

t.setTimeout(120_000);

t.test('a client that asks sentinels in vain goes on asking when it is told to reconnect', async (t) => {
  const { shared } = createConfig({ shared: { redis: `redis://${await deadAddress()}`, sentinel: 'main' } });
  const errors: string[] = [];
  const client = await openRedis(shared as SharedConfig, (message) => void errors.push(message));
  await until('it has asked', () => errors.length > 0);
  client.reconnect();
  const before = errors.length;
  await until('it asks again and again', () => errors.length >= before + 3);
  t.match(errors.at(-1), /ECONNREFUSED/);
  client.close();
});
