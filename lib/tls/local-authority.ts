import { homedir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Findings } from './finding.js';
import { type KeyPair, readKeyPair } from './key-pair.js';

/** What the thread is asked for. */
export interface AuthorityRequest {
  /** Where the authority is kept. */
  readonly folder: string;
  /** A certificate for each list: host names, wildcards, IP addresses. */
  readonly names: readonly (readonly string[])[];
  /** Unix time in ms. */
  readonly now: number;
}

/** What the thread answers. */
export type AuthorityAnswer =
  | { readonly kind: 'issued'; readonly pairs: readonly { readonly cert: string; readonly key: string }[] }
  /** `message`: one line. */
  | { readonly kind: 'failed'; readonly message: string };

/** The local authority cannot be read or kept; the message is one line that says what to do. */
export class AuthorityError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AuthorityError';
  }
}

/** More names make a certificate too long for a fast handshake. */
const MOST_NAMES = 100;

/** The folder of the local authority: of the user, not of a project, since people trust it once. */
export function authorityFolder(env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_DATA_HOME: data = '' } = env;
  // The specification has relative paths ignored.
  return join(data.startsWith('/') ? data : join(homedir(), '.local', 'share'), 'lb');
}

/** The certificate of the local authority, as clients are told to trust it. */
export function authorityFile(folder: string): string {
  return join(folder, 'ca.pem');
}

/**
 * Issues certificates of the local authority for development; the authority is made when there is none. It happens in a
 * thread, since loading the library takes 300 ms and keys some ms each. Rejects with an AuthorityError.
 */
export async function issueLocally(
  folder: string,
  names: readonly string[],
  now: number,
): Promise<KeyPair[]> {
  const lists: string[][] = [];
  for (let at = 0; at < names.length; at += MOST_NAMES) lists.push(names.slice(at, at + MOST_NAMES));
  return pairsOf(await askThread({ folder, names: lists, now }));
}

/** Throws an AuthorityError when it was not issued. */
export function pairsOf(answer: AuthorityAnswer): KeyPair[] {
  if (answer.kind === 'failed') throw new AuthorityError(answer.message);
  return answer.pairs.map(({ cert, key }) => {
    const files = { certFile: '', certText: cert, keyFile: '', keyText: key, passphrase: null };
    return readKeyPair(files, new Findings(0)) as KeyPair;
  });
}

function askThread(request: AuthorityRequest): Promise<AuthorityAnswer> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./local-authority-worker.js', import.meta.url), {
      workerData: request,
      // Options such as --test are not for this thread.
      execArgv: [],
    });
    worker.once('message', (answer: AuthorityAnswer) => resolve(answer));
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new AuthorityError(`its thread ended with code ${code}`)));
  });
}
