import { type Address, parseAddress } from '../../base/address.js';
import { ADMIN_LISTEN } from '../../config/admin.js';
import { loadConfig } from '../../config/config.js';
import type { AdminConfig } from '../../config/types.js';
import { DEFAULT_FILE, readConfig } from '../start-settings.js';
import { type AdminTrust, trustIn } from './admin-trust.js';
import { type AdminAddressOptions, readAdminOption } from './options.js';

/** How to reach a running balancer. */
export interface AdminAddress {
  readonly address: Address;
  /** null: no token is sent. */
  readonly token: string | null;
  /** null: it speaks plain HTTP. */
  readonly trust: AdminTrust | null;
  /** Was it given by --admin? */
  readonly isFromOption: boolean;
}

/**
 * The address of the command line, else of the settings file, else the default; the token of the environment
 * (LB_ADMIN_TOKEN), else of the file. Throws an AdminError when a file that is needed can't be used, a
 * StartSettingsError when it can't be opened.
 */
export function findAdminAddress(
  { admin, configFile }: AdminAddressOptions,
  env: NodeJS.ProcessEnv,
  exists: (path: string) => boolean,
): AdminAddress {
  const file = configFile ?? (exists(DEFAULT_FILE) ? DEFAULT_FILE : null);
  const token = env.LB_ADMIN_TOKEN ?? '';
  // When both are known without the file, it is not read: it may belong to another balancer, or be invalid.
  const asked = admin === null ? null : readAdminOption(admin);
  const needsTrust = asked?.isEncrypted === true && configFile !== null;
  const isKnown = admin !== null && (token !== '' || configFile === null) && !needsTrust;
  const settings = file === null || isKnown ? null : readSettings(file, env);
  const address = asked === null ? (settings?.listen ?? addressOf(ADMIN_LISTEN)) : addressOf(asked.address);
  const tls = settings?.tls ?? null;
  const isEncrypted = asked === null ? tls !== null : asked.isEncrypted;
  return {
    address: reachable(address),
    token: token === '' ? (settings?.token ?? null) : token,
    trust: isEncrypted ? trustIn(tls, env) : null,
    isFromOption: asked !== null,
  };
}

function readSettings(file: string, env: NodeJS.ProcessEnv): AdminConfig | null {
  const result = loadConfig(readConfig(file), { file, env });
  if (result.ok) return result.config.admin;
  const [{ file: place = file, line = 0, message = '' } = {}] = result.problems;
  throw new AdminError(
    'bad_config',
    `${place}:${line}: ${message}. So it does not say where the balancer is: give --admin HOST:PORT.`,
  );
}

function addressOf(text: string): Address {
  return parseAddress(text, { defaultHost: '127.0.0.1' });
}

/** A listener on every interface is reached on this machine. */
export function reachable(address: Address): Address {
  if (address.kind === 'unix') return address;
  const { host, port } = address;
  if (host === '' || host === '0.0.0.0') return addressOf(`127.0.0.1:${port}`);
  return host === '::' ? addressOf(`[::1]:${port}`) : address;
}
/** The balancer could not be asked, or refused. The message is one line that says what to do. */

export class AdminError extends Error {
  /** A code for programs: that of the API, or `unreachable`, `no_answer`, `not_lb`, `bad_config`. */
  readonly code: string;
  /** Further lines as a terminal shows them; mostly empty. */
  readonly details: string;

  constructor(code: string, message: string, details = '') {
    super(message);
    this.name = 'AdminError';
    this.code = code;
    this.details = details;
  }
}
