import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { Program } from '../cli/support.js';
import { LabelledSet, until, whyNoCompose } from './compose-set.js';

const why = await whyNoCompose();
const skip = why !== undefined && process.env.LB_REQUIRE_DOCKER === undefined && why;

const HOST = `mango-${process.pid}.test`;
const SICK = `sick-${process.pid}.test`;

/** A way to the engine that can be cut: to lb it looks as if the engine were restarted, and others on this machine keep theirs. */
class EngineDoor {
  readonly folder = mkdtempSync(join(tmpdir(), 'lb-door-'));
  readonly path = join(this.folder, 'docker.sock');
  isOpen = true;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer((client) => {
      if (!this.isOpen) {
        client.destroy();
        return;
      }
      const engine = connect('/var/run/docker.sock');
      for (const [one, other] of [
        [client, engine],
        [engine, client],
      ] as const) {
        this.#sockets.add(one);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(this.path);
    await once(this.#server, 'listening');
  }

  cut(): void {
    this.isOpen = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// Containers take seconds to start.
t.setTimeout(400_000);

const agent = new Agent({ keepAlive: true, maxSockets: 20 });

/** The first line of the answer, with its status; 0 and the error without one. */
function ask(port: number, host: string): Promise<string> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, agent, headers: { Host: host } }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (more: string) => {
        text += more;
      });
      response.on('end', () => resolve(`${response.statusCode} ${text.trim()}`));
      response.on('error', (error) => resolve(`0 ${error.message}`));
    });
    request.on('error', (error) => resolve(`0 ${error.message}`));
  });
}

/** Resolves when so many containers have answered, at the latest after a minute. */
async function answering(port: number, count: number): Promise<ReadonlySet<string>> {
  let names = new Set<string>();
  await until(
    () => `${count} containers answer, only ${names.size} did`,
    async () => {
      names = new Set();
      for (let i = 0; i < 4 * count; i++) names.add(await ask(port, HOST));
      return names.size === count && [...names].every((name) => name.startsWith('200'));
    },
    60_000,
  );
  return names;
}

t.test(
  'containers with labels alone: they come, go under load, and outlast a lost engine',
  { skip, timeout: 300_000 },
  async (t) => {
    const door = new EngineDoor();
    await door.listen();
    const set = new LabelledSet(HOST);
    const program = new Program(['0', '--docker', '--access-log', 'off'], {
      env: { DOCKER_HOST: `unix://${door.path}` },
    });
    t.teardown(async () => {
      program.kill();
      agent.destroy();
      door.close();
      await set.down();
    });
    const port = Number(await program.onStderr(/lb \S+ {2}http:\S+?:(\d+)/));
    t.match(await ask(port, HOST), /^404/);

    await set.scale(5);
    t.equal((await answering(port, 5)).size, 5);
    // Called by its address where somebody else on this machine has a mango-5.
    t.ok(program.stderr.includes(`docker route ${HOST}: `), 'and it says who came');

    const failed: string[] = [];
    let answered = 0;
    let isLoaded = true;
    const load = Array.from({ length: 10 }, async () => {
      while (isLoaded) {
        const got = await ask(port, HOST);
        if (got.startsWith('200')) answered++;
        else failed.push(got);
      }
    });
    await pause(500);
    await set.scale(2);
    isLoaded = false;
    await Promise.all(load);
    t.comment(
      `${answered} requests answered, ${failed.length} failed while three of five containers stopped`,
    );
    t.ok(answered > 100);
    t.same(failed.slice(0, 5), []);
    t.equal((await answering(port, 2)).size, 2);

    door.cut();
    await program.onStderr(/docker route .*: the stream of events has ended/);
    t.equal((await answering(port, 2)).size, 2, 'what was known stays');
    await set.scale(3);
    door.isOpen = true;
    t.equal((await answering(port, 3)).size, 3, 'what came meanwhile is found');

    const sick = await set.startSick(`lb.host=${SICK}`, 'lb.port=8080');
    t.teardown(() => set.remove(sick));
    await until('there is a route for the sick one', async () => (await ask(port, SICK)).startsWith('503'));
    await pause(3000);
    t.match(await ask(port, SICK), /^503/, 'one that never gets healthy gets nothing');

    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
  },
);
