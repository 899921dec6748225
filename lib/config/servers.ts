import { addressKey } from '../base/address.js';
import { parseServerAddress } from '../base/server-address.js';
import type { FileReader } from './pem-files.js';
import { each, type Report } from './report.js';
import { defaultsOf } from './schema.js';
import { ServerTlsCompiler } from './server-tls.js';
import type { ServerSetting, ServerSettings } from './settings.js';
import type { Path } from './tree.js';
import type { ServerConfig } from './types.js';

const DEFAULTS = defaultsOf<Pick<ServerConfig, 'weight' | 'backup'>>('server');

/** A server whose name may still be set by another list. */
type Draft = { -readonly [Key in keyof ServerConfig]: ServerConfig[Key] };

interface Naming {
  readonly name: string;
  readonly address: string;
  readonly path: Path;
}

/**
 * Compiles the lists of servers, and makes sure that one name stands for one address in all of them. A name given to an
 * address in one list counts in every list.
 */
export class ServerBook {
  readonly #report: Report;
  readonly #tls: ServerTlsCompiler;
  readonly #drafts: Draft[] = [];
  readonly #byName = new Map<string, Naming>();
  readonly #byAddress = new Map<string, Naming>();

  constructor(report: Report, files: FileReader) {
    this.#report = report;
    this.#tls = new ServerTlsCompiler(report, files);
  }

  /**
   * The servers of one list, in order; an address may occur once. `maxConnections` applies to servers without a limit
   * of their own.
   */
  compile(
    settings: readonly ServerSetting[] | undefined,
    path: Path,
    maxConnections: number,
  ): readonly ServerConfig[] {
    const servers: Draft[] = [];
    const firstPaths = new Map<string, Path>();
    for (const [setting, serverPath] of each(settings, path)) {
      const isMap = typeof setting === 'object';
      const addressPath = isMap ? [...serverPath, 'address'] : serverPath;
      const written = isMap ? setting.address : setting;
      if (written === undefined) continue;
      const read = this.#report.attempt(addressPath, () => parseServerAddress(written));
      if (!read) continue;
      const { address, scheme } = read;
      const key = addressKey(address);
      const first = firstPaths.get(key);
      if (first) this.#report.repeated(addressPath, `${address.text} is listed twice, first in`, first);
      else firstPaths.set(key, addressPath);
      if (isMap && setting.name !== undefined) this.#name(setting.name, key, [...serverPath, 'name']);
      const tlsPath = isMap && setting.tls !== undefined ? [...serverPath, 'tls'] : addressPath;
      const tlsSetting = (isMap ? setting.tls : undefined) ?? scheme === 'https';
      if (scheme !== null && (tlsSetting === false) === (scheme === 'https'))
        this.#report.problem(
          tlsPath,
          `the address begins with ${scheme}://, and tls is ${tlsSetting === false ? 'false' : 'set'}`,
        );
      servers.push({
        address,
        name: address.text,
        ...compileTerms(isMap ? setting : {}, maxConnections),
        tls: this.#tls.compile(tlsSetting, tlsPath, address),
      });
    }
    if (servers.length > 0 && servers.every(({ weight }) => weight === 0))
      this.#report.warning(path, 'every server here has weight 0: new requests get 503');
    for (const server of servers) this.#drafts.push(server);
    return servers;
  }

  /** Call it when every list is compiled. */
  nameServers(): void {
    for (const draft of this.#drafts) {
      draft.name = this.#byAddress.get(addressKey(draft.address))?.name ?? draft.name;
    }
  }

  #name(name: string, address: string, path: Path): void {
    const other = this.#byName.get(name);
    const former = this.#byAddress.get(address);
    if (other && other.address !== address) {
      this.#report.repeated(path, `${name} is the name of another server in`, other.path);
    } else if (former && former.name !== name) {
      this.#report.repeated(
        path,
        `this server is called ${former.name} in`,
        former.path,
        'Give it one name.',
      );
    } else {
      const naming: Naming = { name, address, path };
      this.#byName.set(name, naming);
      this.#byAddress.set(address, naming);
    }
  }
}

/** The settings of a server other than its name and address. */
function compileTerms(
  {
    weight = DEFAULTS.weight,
    backup = DEFAULTS.backup,
    max_connections: own,
    send_proxy,
  }: Partial<ServerSettings>,
  maxConnections: number,
): Omit<ServerConfig, 'address' | 'name' | 'tls'> {
  return { maxConnections: own ?? maxConnections, weight, backup, sendProxy: send_proxy ?? null };
}
