import t from 'tap';
import { DockerEngine } from '../../fixtures/docker-engine.js';
import { TimerWheel } from '../../lib/base/timer-wheel.js';
import { ContainerRoutes } from '../../lib/cli/container-routes.js';
import { createConfig } from '../../lib/config/config.js';
import { DockerEngines } from '../../lib/discovery/docker-engines.js';
import { until } from '../support/loop-ticks.js';
import { ManualClock } from '../support/manual-clock.js';

t.test('routes outlast an engine that lists nothing at first after a pause', async (t) => {
  const engine = await DockerEngine.start();
  t.teardown(() => engine.close());
  engine.set({ id: 'a1', labels: { 'lb.host': 'mango.test' } });
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const engines = new DockerEngines({ wheel, env: {}, self: null });
  const routes = new ContainerRoutes(engines, wheel);
  const { docker } = createConfig({ docker: { socket: engine.socket } });
  if (docker?.source.kind !== 'docker') throw new Error('there is no source');
  const watch = engines.watch(docker.source.engine);
  let lists = 0;
  let losses = 0;
  /** In place of the balancer, which asks again. It is told after the routes. */
  const listener = { onFleet: () => void lists++, onLost: () => void losses++ };
  t.teardown(() => {
    watch.leave(listener);
    routes.stop();
    wheel.close();
  });
  routes.follow(docker);
  await until(() => routes.current.length === 1);
  watch.ask(listener);
  await until(() => lists === 1);
  engine.set();
  engine.cut();
  await until(() => losses === 1);
  watch.ask(listener);
  await until(() => lists === 2);
  t.equal(routes.current.length, 1, 'an engine that has just begun may not be ready');
  clock.advance(1000);
  watch.ask(listener);
  await until(() => lists === 3);
  clock.advance(10_100);
  t.same(routes.current, [], 'its next list says the same');
});

t.test('a route whose last container is gone stays for a moment: another may take its place', async (t) => {
  const engine = await DockerEngine.start();
  t.teardown(() => engine.close());
  const mango = { id: 'a1', labels: { 'lb.host': 'mango.test' } };
  engine.set(mango);
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const routes = new ContainerRoutes(new DockerEngines({ wheel, env: {}, self: null }), wheel);
  let changes = 0;
  routes.onChange = () => void changes++;
  t.teardown(() => {
    routes.stop();
    wheel.close();
  });
  const { docker } = createConfig({ docker: { socket: engine.socket } });
  const names = (): string => routes.current.map(({ route }) => route).join(' ');
  /** Resolves when the list that an event caused has been read, as another container shows. */
  const follows = async (label: string): Promise<void> => {
    engine.emit('create', 'b2');
    await until(() => names().includes(label));
  };
  routes.follow(docker);
  await until(() => names() === 'mango.test');
  engine.set({ id: 'b2', labels: { 'lb.host': 'apple.test' } });
  engine.emit('destroy', 'a1');
  await follows('apple.test');
  t.equal(names(), 'apple.test mango.test');
  clock.advance(9000);
  engine.set(mango, { id: 'c3', labels: { 'lb.host': 'cherry.test' } });
  await follows('cherry.test');
  t.equal(names(), 'apple.test cherry.test mango.test');
  clock.advance(5000);
  t.equal(names(), 'apple.test cherry.test mango.test', 'it has come again');
  const before = changes;
  clock.advance(6000);
  t.equal(names(), 'cherry.test mango.test', 'and the other one has not');
  t.equal(changes, before + 1);
  routes.follow(null);
  t.equal(names(), '', 'settings without it have none at once');
});

t.test('a reload tries an engine again that the environment did not name', async (t) => {
  const engine = await DockerEngine.start();
  t.teardown(() => engine.close());
  engine.set({ id: 'a1', labels: { 'lb.host': 'mango.test' } });
  const wheel = new TimerWheel(new ManualClock());
  const env = { DOCKER_HOST: 'ssh://nobody' };
  const routes = new ContainerRoutes(new DockerEngines({ wheel, env, self: null }), wheel);
  t.teardown(() => {
    routes.stop();
    wheel.close();
  });
  const { docker } = createConfig({ docker: true });
  routes.follow(docker);
  await routes.first(60_000);
  env.DOCKER_HOST = `unix://${engine.socket}`;
  routes.follow(docker);
  await until(() => routes.current.length === 1);
  routes.follow(docker);
  t.equal(engine.streams, 1, 'one that is watched is left alone');
});
