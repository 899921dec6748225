import { ValueError } from '../base/units.js';
import { parseHostName } from './host-name.js';
import type { Report } from './report.js';
import { defaultsOf } from './schema.js';
import type { ServerTlsSetting } from './settings.js';
import type { Path } from './tree.js';
import type { ServerTlsConfig } from './types.js';

const { verify: VERIFY, minVersion: MIN_VERSION } =
  defaultsOf<Pick<ServerTlsConfig, 'verify' | 'minVersion'>>('serverTls');

/** Compiles `tls` of a server; null: plain HTTP. */
export function compileServerTls(
  setting: ServerTlsSetting | undefined,
  path: Path,
  report: Report,
  resolveFile: (name: string) => string,
): ServerTlsConfig | null {
  if (setting === undefined || setting === false) return null;
  const {
    server_name,
    ca,
    cert,
    key,
    passphrase = null,
    verify = VERIFY,
    min_version,
  } = setting === true ? {} : setting;
  const serverName =
    server_name === undefined
      ? null
      : (report.attempt([...path, 'server_name'], () => serverNameOf(server_name)) ?? null);
  if (key !== undefined && cert === undefined)
    report.problem([...path, 'key'], 'there is no cert that the key belongs to');
  const file = (name: string | undefined): string | null => (name === undefined ? null : resolveFile(name));
  return {
    serverName,
    verify,
    ca: file(ca),
    cert: file(cert),
    key: file(key),
    passphrase,
    minVersion: min_version ?? MIN_VERSION,
  };
}

function serverNameOf(text: string): string {
  const name = parseHostName(text);
  if (name.kind === 'exact') return name.name;
  throw new ValueError(`expected a host such as api.internal, got ${JSON.stringify(text)}`);
}
