import { Agent, get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { Program } from '../cli/support.js';
import { type ContainerTimes, LabelledSet, until, whyNoCompose } from './compose-set.js';

const why = await whyNoCompose();
const skip = why !== undefined && process.env.LB_REQUIRE_DOCKER === undefined && why;

/** ms from the start of a container to its first answer, where its program does not need most of it by itself. */
const BOUND = 1000;
const ROUNDS = 3;
const HOST = `arrival-${process.pid}.test`;

// Containers take seconds to start.
t.setTimeout(400_000);

/** Clients that ask now and then, and when each container answered for the first time. */
class Visitors {
  readonly firstAt = new Map<string, number>();
  readonly failures: string[] = [];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });
  readonly #port: number;
  readonly #loops: readonly Promise<void>[];
  #isOver = false;
  answered = 0;

  constructor(port: number) {
    this.#port = port;
    this.#loops = Array.from({ length: 4 }, () => this.#visit());
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    this.#agent.destroy();
  }

  async #visit(): Promise<void> {
    while (!this.#isOver) {
      await this.#ask();
      await pause(5);
    }
  }

  #ask(): Promise<void> {
    return new Promise((resolve) => {
      const failed = (reason: string): void => {
        this.failures.push(reason);
        resolve();
      };
      const headers = { Host: HOST };
      const asked = get({ port: this.#port, host: '127.0.0.1', agent: this.#agent, headers }, (response) => {
        const server = String(response.headers['x-backend']);
        const { statusCode } = response;
        response.resume();
        response.on('end', () => {
          if (statusCode !== 200) return failed(`status ${statusCode}`);
          this.answered++;
          if (!this.firstAt.has(server)) this.firstAt.set(server, Date.now());
          resolve();
        });
      });
      asked.on('error', (error) => failed(error.message));
    });
  }
}

t.test(
  'scaled from one to five under load: each container is answered by within a second of its start, and no request fails',
  { skip, timeout: 390_000 },
  async (t) => {
    const set = new LabelledSet(HOST);
    const program = new Program(['0', '--docker', '--access-log', 'off']);
    t.teardown(async () => {
      program.kill();
      await set.down();
    });
    const port = Number(await program.onStderr(/lb \S+ {2}http:\S+?:(\d+)/));
    await set.scale(1);
    let round = 0;
    let held = false;
    while (!held && round++ < ROUNDS) {
      const visitors = new Visitors(port);
      await until('the first one answers', () => visitors.firstAt.size === 1, 60_000);
      // Before it did.
      visitors.failures.length = 0;
      const [old] = visitors.firstAt.keys();
      await set.scale(5);
      await until('all five answer', () => visitors.firstAt.size === 5, 60_000);
      await visitors.stop();
      t.same(visitors.failures.slice(0, 5), [], `none of ${visitors.answered} requests failed`);
      const came = (await set.times()).filter(({ id }) => id !== old);
      t.equal(came.length, 4);
      for (const container of came) t.comment(describe(container, visitors.firstAt));
      held = came.every((container) => isInTime(container, visitors.firstAt));
      await set.scale(1);
    }
    t.ok(held, `in round ${round}`);
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
  },
);

/** On a busy machine a program may need longer than a second until it listens. */
function isInTime({ id, started, listens }: ContainerTimes, firstAt: ReadonlyMap<string, number>): boolean {
  const answered = firstAt.get(id) ?? Number.POSITIVE_INFINITY;
  return answered - started <= Math.max(BOUND, 1.5 * (listens - started) + BOUND / 4);
}

function describe({ id, started, listens }: ContainerTimes, firstAt: ReadonlyMap<string, number>): string {
  const answered = firstAt.get(id) ?? Number.NaN;
  return `${id}: listens ${listens - started} ms after its start, answers after ${answered - started} ms`;
}
