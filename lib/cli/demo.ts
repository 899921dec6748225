import { type FixtureServer, startFixtureServer } from '../../fixtures/server.js';

/** Three servers inside this process, on loopback only, so that a first try needs nothing else. */
export interface Demo {
  readonly servers: readonly DemoServer[];
  /** Stops them; resolves when their sockets are gone. */
  close(): Promise<void>;
}

export interface DemoServer {
  readonly name: string;
  /** `127.0.0.1:port`. */
  readonly address: string;
}

/** Often, so that a failing server is noticed soon. */
export const DEMO_HEALTH_CHECK = { path: '/healthcheck', interval: '1s' } as const;

const NAMES = ['apple', 'banana', 'cherry'] as const;

export async function startDemo(): Promise<Demo> {
  const servers: readonly FixtureServer[] = await Promise.all(
    NAMES.map((name) => startFixtureServer({ name, host: '127.0.0.1', port: 0 })),
  );
  return {
    servers,
    close: async () => {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
}
