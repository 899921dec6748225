import t from 'tap';
import { banner } from '../../lib/cli/banner.js';
import type { StartSettings } from '../../lib/cli/start-settings.js';
import { Terminal } from '../../lib/cli/terminal.js';
import { createConfig } from '../../lib/config/config.js';
import type { ServerSettings } from '../../lib/config/settings.js';
import { MemoryStream } from './support.js';

/** The banner of one host with these servers. */
function bannerOf(servers: ServerSettings[]): string {
  const config = createConfig({ hosts: [{ host: 'a.com', servers }] });
  return banner({
    version: '1.2.3',
    program: 'lb',
    plan: { config, file: null, isDemo: false } as unknown as StartSettings,
    addresses: [],
    admin: null,
    restored: 0,
    authority: '',
    isWatched: false,
    paint: new Terminal(new MemoryStream(true), { colour: false, env: {} }).paint,
  });
}

t.test('where names are too long, sources are counted apart from servers', async (t) => {
  const server = (letter: string): ServerSettings => ({
    name: letter.repeat(35),
    address: `${letter}.example:80`,
  });
  const source = (letter: string): ServerSettings => ({ file: `${letter.repeat(35)}.yaml` });
  for (const [servers, said] of [
    [[server('a'), server('b'), source('c')], '2 servers, 1 source'],
    [[server('a'), source('b'), source('c')], '1 server, 2 sources'],
    [[server('a'), server('b')], '2 servers'],
    [[source('a'), source('b')], '2 sources'],
  ] as const)
    t.match(bannerOf([...servers]), new RegExp(`routes +a\\.com +${said}\n`));
});

t.test('where there is room, both are named', async (t) => {
  t.match(bannerOf([{ address: 'a:80' }, { file: 'b.yaml' }]), /routes +a\.com +a:80, file b\.yaml\n/);
});
