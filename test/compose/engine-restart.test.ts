import t from 'tap';
import { Program } from '../cli/support.js';
import { freePort, until, whyNoCompose } from './compose-set.js';
import { Load } from './load.js';
import { OwnEngine, whyNoOwnEngine } from './own-engine.js';

const why = (await whyNoCompose()) ?? whyNoOwnEngine();
const skip = why !== undefined && process.env.LB_REQUIRE_DOCKER === undefined && why;

// An engine starts three times, and an image is carried over to it.
t.setTimeout(300_000);

/** Every request, whatever its host. */
const ALL = ['lb.enable=true'];

t.test(
  'the engine is stopped, killed and started again under load: no request fails, and what has changed is found',
  { skip, timeout: 290_000 },
  async (t) => {
    const engine = await OwnEngine.start();
    t.teardown(() => engine.remove());
    for (const name of ['pear', 'plum']) await engine.startServer(name, await freePort(), ALL);
    const program = new Program(['0', '--docker', '--access-log', 'off'], {
      env: { DOCKER_HOST: engine.address },
    });
    t.teardown(() => program.kill());
    const port = Number(await program.onStderr(/lb \S+ {2}http:\S+?:(\d+)/));
    const load = new Load(`http://127.0.0.1:${port}/`, 4);
    t.teardown(() => load.stop());
    const serves = (name: string, count = 20): Promise<void> => {
      const from = load.servedBy(name);
      return until(`${name} serves:\n${program.stderr}`, () => load.servedBy(name) >= from + count, 60_000);
    };
    await Promise.all([serves('pear'), serves('plum')]);
    // Before they listened.
    load.failures.length = 0;

    const plum = await engine.pidOf('plum');
    const began = performance.now();
    await engine.stop('SIGTERM');
    await program.onStderr(/docker route \S+: the stream of events has ended/);
    await Promise.all([serves('pear'), serves('plum')]);
    t.pass('containers serve on without their engine');

    process.kill(plum, 'SIGKILL');
    await serves('pear', 50);
    await engine.runAgain();
    await program.onStderr(/docker route \S+: plum left/);
    t.comment(`the end of a container is known ${ms(began)} after its engine was stopped`);

    await engine.startServer('fig', await freePort(), ALL);
    await serves('fig');
    await engine.stop('SIGKILL');
    await Promise.all([serves('pear'), serves('fig')]);
    await engine.runAgain();
    await engine.startServer('lime', await freePort(), ALL);
    await serves('lime');
    await engine.docker('stop', '--time', '5', 'fig');
    await Promise.all([serves('pear'), serves('lime')]);

    await load.stop();
    t.same(load.failures, [], `none of ${load.answered} requests failed`);
    program.child.kill('SIGTERM');
    t.equal(await program.end(), 0);
  },
);

function ms(since: number): string {
  return `${Math.round(performance.now() - since)} ms`;
}
