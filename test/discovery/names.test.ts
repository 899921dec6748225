import t from 'tap';
import { createConfig } from '../../lib/config/config.js';
import { FileIndex } from '../../lib/control/file-index.js';
import { type Answers, ProvidedServers } from '../../lib/control/provided-servers.js';
import type { DiscoveredServer } from '../../lib/discovery/contract.js';

const ROUNDS = 300;
const STEPS = 12;
const REST = { backup: null, maxConnections: null, host: null, origin: '' };

/** Two files of settings with the same sources, which name other addresses. */
const FILES = ['10.0.0.8:80', { name: 'n1', address: '10.0.0.9:80' }].map((listed) =>
  FileIndex.of(
    createConfig({
      listen: '127.0.0.1:0',
      servers: [{ file: '/one.json' }, { file: '/two.json' }],
      routes: [{ match: { path: '/b' }, servers: [listed, { file: '/two.json' }] }],
    }),
  ),
);

/** The same numbers in each run. */
let state = 7;
function below(end: number): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  return (state >>> 8) % end;
}

/** Some servers leave, and others come between them. */
function changed(before: readonly DiscoveredServer[]): readonly DiscoveredServer[] {
  const servers = before.filter(() => below(4) > 0);
  for (let more = below(3); more > 0; more--) {
    const address = `10.0.0.${1 + below(9)}:80`;
    if (servers.some((server) => server.address === address)) continue;
    const name = below(3) === 0 ? null : `n${below(4)}`;
    const weight = below(2) === 0 ? null : 1 + below(3);
    servers.splice(below(servers.length + 1), 0, { address, name, weight, ...REST });
  }
  return servers;
}

function namesIn(provided: ProvidedServers, { groups }: FileIndex): readonly string[] {
  return [...groups].map((group) =>
    provided
      .of(group)
      .map(({ name, address, weight }) => `${name}=${address.text}*${weight}`)
      .join(' '),
  );
}

t.test(
  'servers get the same names whether a thread followed all answers or begins with the last',
  async (t) => {
    const none: Answers = new Map();
    for (let round = 0; round < ROUNDS; round++) {
      let file = FILES[0] as FileIndex;
      let provided = ProvidedServers.of(file, none);
      let follower = ProvidedServers.of(file, none);
      const told = new Map<string, readonly DiscoveredServer[]>();
      for (let step = 0; step < STEPS; step++) {
        const source = [...file.sources.keys()][below(2)] as string;
        if (below(6) === 0) {
          file = FILES[below(2)] as FileIndex;
          provided = ProvidedServers.of(file, provided.answers);
          follower = ProvidedServers.of(file, follower.answers);
        } else {
          const servers = changed(told.get(source) ?? []);
          told.set(source, servers);
          provided.set(source, servers);
          follower.set(source, provided.answerOf(source));
        }
        const names = namesIn(provided, file);
        const fresh = ProvidedServers.of(file, provided.answers);
        const place = `round ${round}, step ${step}`;
        if (namesIn(follower, file).join() !== names.join()) t.same(namesIn(follower, file), names, place);
        if (namesIn(fresh, file).join() !== names.join()) t.same(namesIn(fresh, file), names, place);
        if (below(6) === 0) follower = fresh;
      }
    }
    t.pass(`${ROUNDS * STEPS} answers`);
  },
);

t.test('a source gives no server the name of one address of an entry', async (t) => {
  const app = { name: 'app', address: 'app.test:80' };
  const file = FileIndex.of(createConfig({ servers: [app, { file: '/one.json' }] }));
  const [source = ''] = file.sources.keys();
  const told = (address: string, name: string) => ({ address, name, weight: null, ...REST });
  const servers = [told('10.0.0.1:80', 'app/10.0.0.7'), told('10.0.0.2:80', 'web/10.0.0.7')];
  t.same(namesIn(ProvidedServers.of(file, new Map([[source, servers]])), file), [
    '10.0.0.1:80=10.0.0.1:80*1 web/10.0.0.7=10.0.0.2:80*1',
  ]);
});
