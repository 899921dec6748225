import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that systems choose for outgoing connections (from 32768 on Linux): none of those takes it meanwhile. */
const [FIRST, END] = [15_000, 32_000];
/** Those that this process has been told of are not told of again: nobody may listen there yet. */
const told = new Set<number>();

/** A port of loopback that nobody listens at, for a program that can't choose one itself. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END);
    if (told.has(port) || !(await isFree(port))) continue;
    told.add(port);
    return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
