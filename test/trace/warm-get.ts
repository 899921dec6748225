import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
/** So many requests warm the pools, and V8 has compiled what runs often. */
const WARM_UP = 50;

/** A client, a balancer and a server in this process, with warm connections between them. */
export interface WarmGet {
  /** Sends one GET and resolves when its answer is there. */
  get(): Promise<void>;
  close(): void;
}

/** Starts all three and warms them up. The balancer is imported here, so that a loader hook may come first. */
export async function startWarmGet(): Promise<WarmGet> {
  const { createBalancer, createConfig } = await import('../../lib/index.js');
  const origin = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => socket.write(RESPONSE));
  }).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const servers = [`127.0.0.1:${(origin.address() as AddressInfo).port}`];
  const balancer = createBalancer(createConfig({ listen: '127.0.0.1:0', servers, health_check: false }));
  await balancer.start();
  const [address] = balancer.addresses;
  if (address?.kind !== 'tcp') throw new Error('the balancer does not listen on a port');
  const client = connect(address.port, '127.0.0.1');
  client.on('error', () => client.destroy());
  const get = async (): Promise<void> => {
    client.write(REQUEST);
    await once(client, 'data');
  };
  for (let i = 0; i < WARM_UP; i++) await get();
  return {
    get,
    close: () => {
      client.destroy();
      balancer.stop();
      origin.close();
    },
  };
}
