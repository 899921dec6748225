import { type RequestOptions, request } from 'node:http';
import { type Address, parseAddress } from '../base/address.js';
import { refuseUpgrade } from '../base/refuse-upgrade.js';
import { loadConfig } from '../config/config.js';
import type { ListenerConfig } from '../config/types.js';
import { localProxyHeader } from '../net/proxy-header-encoder.js';
import { openSocket } from '../net/unverified-socket.js';
import type { HealthcheckOptions } from './args.js';
import { complain, writeReport } from './complaint.js';
import { reachable } from './remote/admin-address.js';
import { readAdminOption } from './remote/options.js';
import { DEFAULT_FILE, readConfig, StartSettingsError } from './start-settings.js';
import type { Terminal } from './terminal.js';

/** Less than the default timeout of supervisors. */
const PATIENCE_MS = 2000;
const DEFAULT_PORT = 8080;

export interface HealthcheckContext {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly env: NodeJS.ProcessEnv;
  readonly exists: (path: string) => boolean;
}

/** The request, and which response is good. */
interface Probe {
  readonly address: Address;
  /** Is it asked over TLS? */
  readonly isSecure: boolean;
  /** Does it expect a PROXY header? */
  readonly expectsHeader: boolean;
  readonly request: RequestOptions;
  readonly isGood: (status: number) => boolean;
}

/**
 * For the health checks of containers, which may have neither a shell nor curl: asks the balancer on this machine
 * whether it is well. Returns the exit code, 0 when it is.
 */
export async function healthcheck(
  options: HealthcheckOptions,
  { stdout, stderr, env, exists }: HealthcheckContext,
): Promise<number> {
  const refuse = (message: string): number => {
    complain(stderr, message);
    return 1;
  };
  try {
    const probe = findProbe(options, env, exists);
    if (typeof probe === 'string') return refuse(probe);
    const status = await statusOf(probe);
    const where = probe.address.text;
    if (!probe.isGood(status)) return refuse(`${where} answers ${status}.`);
    stdout.write(`${where} is ${options.ready ? 'ready' : 'alive'}\n`);
    return 0;
  } catch (error) {
    if (error instanceof StartSettingsError) writeReport(stderr, error.report);
    else return refuse(`${(error as Error).message}.`);
    return 1;
  }
}

/**
 * The admin listener knows most. Without it the readiness path is asked, and otherwise a request that goes no further
 * than lb itself (RFC 9110, 7.6.2): any response shows that it is alive. A text says why none of these can be asked.
 */
function findProbe(
  { port, admin, configFile, ready }: HealthcheckOptions,
  env: NodeJS.ProcessEnv,
  exists: (path: string) => boolean,
): Probe | string {
  if (admin !== null) {
    const { address, isEncrypted } = readAdminOption(admin);
    return adminProbe(parseAddress(address, { defaultHost: '127.0.0.1' }), ready, isEncrypted);
  }
  const file = configFile ?? (port === null && exists(DEFAULT_FILE) ? DEFAULT_FILE : null);
  const settings = file === null ? null : readSettings(file, env);
  if (typeof settings === 'string') return settings;
  if (settings !== null && settings.admin !== null)
    return adminProbe(settings.admin.listen, ready, settings.admin.tls !== null);
  const listener = port === null && settings !== null ? easiest(settings.listen) : undefined;
  const place = {
    address: listener?.address ?? parseAddress(port ?? DEFAULT_PORT, { defaultHost: '' }),
    isSecure: listener !== undefined && listener.tls !== null,
    expectsHeader: listener !== undefined && listener.proxyProtocol !== null,
  };
  const path = settings?.readinessPath ?? null;
  if (path !== null)
    return { ...place, request: { path }, isGood: (status) => status === 200 || (status === 503 && !ready) };
  if (ready) return '--ready needs an admin listener or a readiness_path: nothing else says whether it is.';
  const request = { method: 'OPTIONS', path: '*', headers: { 'max-forwards': '0' } };
  return { ...place, request, isGood: () => true };
}

function adminProbe(address: Address, ready: boolean, isSecure: boolean): Probe {
  const asked = { path: ready ? '/readyz' : '/livez' };
  return { address, isSecure, expectsHeader: false, request: asked, isGood: (status) => status === 200 };
}

/** The first listener that asks for the least: neither for a PROXY header nor for a client certificate. */
function easiest(listeners: readonly ListenerConfig[]): ListenerConfig | undefined {
  const asks = ({ tls: terms, proxyProtocol }: ListenerConfig): number =>
    (proxyProtocol === null ? 0 : 2) + (terms?.clientAuth?.mode === 'require' ? 1 : 0);
  return [...listeners].sort((one, other) => asks(one) - asks(other))[0];
}

function readSettings(file: string, env: NodeJS.ProcessEnv) {
  const result = loadConfig(readConfig(file), { file, env });
  if (result.ok) return result.config;
  const [{ file: place = file, line = 0, message = '' } = {}] = result.problems;
  return `${place}:${line}: ${message}. So it does not say where lb listens: give a port, or --admin HOST:PORT.`;
}

/** Resolves with the status of the response; rejects if there is none in time. */
function statusOf({ address, isSecure, expectsHeader, request: asked }: Probe): Promise<number> {
  const at = reachable(address);
  return new Promise((resolve, reject) => {
    const greeting = expectsHeader ? localProxyHeader('v2') : '';
    const createConnection = () => openSocket(at, greeting, isSecure);
    const host = at.kind === 'tcp' ? { host: at.host, port: at.port } : {};
    // With an agent, also with none (agent: false), Node would connect by itself.
    const outgoing = request({ ...host, ...asked, createConnection }, (response) => {
      response.on('error', () => {});
      response.resume();
      resolve(response.statusCode ?? 0);
      outgoing.destroy();
    });
    refuseUpgrade(outgoing);
    const patience = setTimeout(
      () => outgoing.destroy(new Error(`${at.text} does not answer within ${PATIENCE_MS / 1000} s`)),
      PATIENCE_MS,
    );
    outgoing.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      const isNobody = code === 'ECONNREFUSED' || code === 'ENOENT';
      const isClosed = expectsHeader && (code === 'ECONNRESET' || code === 'EPIPE');
      if (isNobody) reject(new Error(`no answer at ${at.text}`));
      else if (isClosed)
        reject(new Error(`${at.text} closes the connection: this machine may not be in its proxy_protocol`));
      else reject(new Error(message));
    });
    outgoing.on('close', () => clearTimeout(patience));
    outgoing.end();
  });
}
