import { dirname } from 'node:path';
import { type Address, parseAddress } from '../../base/address.js';
import { ADMIN_LISTEN } from '../../config/admin.js';
import { loadConfig } from '../../config/config.js';
import type { AdminConfig } from '../../config/types.js';
import { DEFAULT_FILE, readConfig } from '../start-settings.js';
import type { AdminAddressOptions } from './options.js';

/** Where a running balancer is asked, and what it wants to see. */
export interface AdminAddress {
  readonly address: Address;
  /** null: none is shown. */
  readonly token: string | null;
}

/**
 * The address of the command line, else that of the settings file, else the default; the token of the environment
 * (LB_ADMIN_TOKEN), else that of the file. Throws an AdminError when a file that has to be read can't be used, a
 * PlanError when it can't be opened.
 */
export function findPlace(
  { admin, configFile }: AdminAddressOptions,
  env: NodeJS.ProcessEnv,
  exists: (path: string) => boolean,
): AdminAddress {
  const file = configFile ?? (exists(DEFAULT_FILE) ? DEFAULT_FILE : null);
  const token = env.LB_ADMIN_TOKEN ?? '';
  // Neither is looked for in a file where both are known without it: it may be another one's, or not good.
  const isKnown = admin !== null && (token !== '' || configFile === null);
  const settings = file === null || isKnown ? null : readSettings(file, env);
  const address = admin === null ? (settings?.listen ?? addressOf(ADMIN_LISTEN)) : addressOf(admin);
  return { address: reachable(address), token: token === '' ? (settings?.token ?? null) : token };
}

function readSettings(file: string, env: NodeJS.ProcessEnv): AdminConfig | null {
  const result = loadConfig(readConfig(file), { directory: dirname(file), env });
  if (result.ok) return result.config.admin;
  const [{ line = 0, message = '' } = {}] = result.problems;
  throw new AdminError(
    'bad_config',
    `${file}:${line}: ${message}. So it does not say where the balancer is: give --admin HOST:PORT.`,
  );
}

function addressOf(text: string): Address {
  return parseAddress(text, { defaultHost: '127.0.0.1' });
}

/** Who listens on every interface is found on this machine. */
export function reachable(address: Address): Address {
  if (address.kind === 'unix') return address;
  const { host, port } = address;
  if (host === '' || host === '0.0.0.0') return addressOf(`127.0.0.1:${port}`);
  return host === '::' ? addressOf(`[::1]:${port}`) : address;
}
/** The balancer could not be asked, or said no. The message is one line that says what to do. */

export class AdminError extends Error {
  /** One word for programs: that of the API, or `unreachable`, `no_answer`, `not_lb`, `bad_config`. */
  readonly code: string;
  /** More lines, as a terminal shows them; empty as a rule. */
  readonly details: string;

  constructor(code: string, message: string, details = '') {
    super(message);
    this.name = 'AdminError';
    this.code = code;
    this.details = details;
  }
}
