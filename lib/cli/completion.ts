import { suggest } from '../base/nearest.js';
import { complain } from './complaint.js';
import { completeWords, type Known } from './complete-words.js';
import { BASH, ZSH } from './completion-scripts.js';
import type { AdminClient } from './remote/client.js';
import type { RemoteContext } from './remote/remote.js';

/** How long a person who pressed Tab should wait for names. */
const PATIENCE_MS = 700;

/**
 * `bash` and `zsh` print a script for the shell. `words`, which these scripts call, prints the completions of the last
 * word, one per line. Returns the exit code.
 */
export async function completion(
  [what = '', ...words]: readonly string[],
  context: RemoteContext,
): Promise<number> {
  const { stdout, stderr } = context;
  if (what === 'bash' || what === 'zsh') {
    stdout.write(what === 'bash' ? BASH : ZSH);
    return 0;
  }
  if (what === 'words') {
    const found = await completeWords(words, known(words, context));
    stdout.write(found.map((word) => `${word}\n`).join(''));
    return 0;
  }
  const hint = suggest(what, ['bash', 'zsh'], 'It is bash or zsh.');
  const shell =
    what === '' ? 'the name of a shell is needed.' : `${JSON.stringify(what)} is no shell that lb knows.`;
  complain(stderr, `${shell} ${hint} Try: source <(lb completion bash)`);
  return 2;
}

/** Names of the running balancer; none when it cannot be asked. */
function known(words: readonly string[], context: RemoteContext): Known {
  const option = (...names: readonly string[]): string | null => {
    const at = words.findIndex((word) => names.includes(word));
    return at === -1 ? null : (words[at + 1] ?? null);
  };
  const ask = async (
    names: (client: AdminClient) => Promise<readonly string[]>,
  ): Promise<readonly string[]> => {
    let client: AdminClient | null = null;
    const answered = new AbortController();
    try {
      // Loaded late: reading settings needs a library, and most completions do not.
      const [{ findAdminAddress }, connection] = await Promise.all([
        import('./remote/admin-address.js'),
        import('./remote/client.js'),
      ]);
      const place = { admin: option('--admin'), configFile: option('-c', '--config') };
      client = new connection.AdminClient(findAdminAddress(place, context.env, context.exists));
      return await Promise.race([names(client), context.pause(PATIENCE_MS, answered.signal).then(() => [])]);
    } catch {
      // Not running, or not found: there is nothing to offer, and no message to print during completion.
      return [];
    } finally {
      answered.abort();
      client?.close();
    }
  };
  return {
    servers: () => ask(async (client) => (await client.status()).servers.map(({ name }) => name)),
    routes: () =>
      ask(async (client) =>
        (await client.status()).routes.filter(({ action }) => action === 'forward').map(({ name }) => name),
      ),
  };
}
