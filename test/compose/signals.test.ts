import { get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { Program } from '../cli/support.js';
import { LabelledSet, until, whyNoCompose } from './compose-set.js';

const why = await whyNoCompose();
const skip = why !== undefined && process.env.LB_REQUIRE_DOCKER === undefined && why;
const HOST = `stubborn-${process.pid}.test`;

// Containers take seconds to start.
t.setTimeout(200_000);

/** 0: no answer. */
function statusOf(port: number): Promise<number> {
  return new Promise((resolve) => {
    const asked = get({ host: '127.0.0.1', port, agent: false, headers: { Host: HOST } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('error', () => resolve(0));
  });
}

t.test(
  'what a real engine does with a container: signals, a pause, another name, a restart, and another in its place',
  { skip, timeout: 190_000 },
  async (t) => {
    const set = new LabelledSet(HOST);
    const labels = [`lb.host=${HOST}`, 'lb.port=8080'];
    const ids = [await set.startStubborn(...labels)];
    const id = ids[0] as string;
    const program = new Program(['0', '--docker', '--access-log', 'off']);
    t.teardown(async () => {
      program.kill();
      await Promise.all(ids.map((one) => set.remove(one)));
    });
    const port = Number(await program.onStderr(/lb \S+ {2}http:\S+?:(\d+)/));
    const seen = new Set<number>();
    const becomes = (status: number, what: string): Promise<void> =>
      until(what, async () => {
        const got = await statusOf(port);
        seen.add(got);
        return got === status;
      });
    /** For longer than lb takes to follow an event. */
    const stays = async (status: number, what: string): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        t.equal(await statusOf(port), status, what);
        await pause(150);
      }
    };
    await becomes(200, 'it serves');
    await set.docker('kill', '--signal', 'HUP', id);
    await stays(200, 'SIGHUP stops nothing');
    await set.docker('pause', id);
    await becomes(503, 'it is paused');
    await stays(503, 'and gets nothing');
    await set.docker('unpause', id);
    await becomes(200, 'it goes on');
    await set.docker('rename', id, HOST);
    await stays(200, 'its name does not matter');
    await set.docker('restart', '--time', '0', id);
    await becomes(200, 'it is restarted');
    await set.docker('kill', '--signal', 'TERM', id);
    await becomes(503, 'it is told to stop');
    await stays(503, 'and gets nothing for a minute');

    seen.clear();
    const began = performance.now();
    await set.remove(id);
    ids[0] = await set.startStubborn(...labels);
    const gap = performance.now() - began;
    await becomes(200, 'another one has taken its place');
    // The route stays for 10 s.
    t.ok(!seen.has(404) || gap > 9000, 'there is no moment without the route');
  },
);
