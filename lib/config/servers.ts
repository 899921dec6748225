import { type Address, addressKey } from '../base/address.js';
import { identityOf } from '../base/identity.js';
import { parseServerAddress } from '../base/server-address.js';
import type { FileReader } from './pem-files.js';
import { compileSource, kindsOf, refuseStrayKeys } from './providers.js';
import { each, type Report } from './report.js';
import { defaultsOf } from './schema.js';
import { ServerTlsCompiler } from './server-tls.js';
import type { ServerSetting, ServerSettings } from './settings.js';
import type { Path } from './tree.js';
import type { ProviderConfig, ServerConfig } from './types.js';

/** Stands for the addresses of servers that are not known yet. */
const SOMEWHERE: Address = { kind: 'tcp', host: '', port: 0, text: 'a server of this source' };

const DEFAULTS = defaultsOf<Pick<ServerConfig, 'weight' | 'backup'>>('server');

/** A server whose name may still be set by another list. */
type Draft = { -readonly [Key in keyof ServerConfig]: ServerConfig[Key] };

/** One list of `servers`. */
interface Compiled {
  readonly servers: readonly ServerConfig[];
  readonly providers: readonly ProviderConfig[];
}

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
  readonly #files: FileReader;
  readonly #docker: ProviderConfig | null;
  readonly #tls: ServerTlsCompiler;
  readonly #drafts: Draft[] = [];
  readonly #byName = new Map<string, Naming>();
  readonly #byAddress = new Map<string, Naming>();

  /** `docker`: what the file says at the top. */
  constructor(report: Report, files: FileReader, docker: ProviderConfig | null) {
    this.#report = report;
    this.#files = files;
    this.#docker = docker;
    this.#tls = new ServerTlsCompiler(report, files);
  }

  /**
   * The servers of one list, in order, and the sources of further ones; an address or a source may occur once.
   * `maxConnections` applies to servers without a limit of their own.
   */
  compile(settings: readonly ServerSetting[] | undefined, path: Path, maxConnections: number): Compiled {
    const servers: Draft[] = [];
    const providers: ProviderConfig[] = [];
    const firstPaths = new Map<string, Path>();
    for (const [setting, serverPath] of each(settings, path)) {
      const entry = typeof setting === 'object' ? setting : null;
      const kinds = entry === null ? [] : kindsOf(entry);
      if (entry !== null && !this.#hasOnePlace(entry, kinds, serverPath)) continue;
      if (entry !== null && kinds.length === 1) {
        const provider = this.#provider(entry, serverPath, maxConnections, firstPaths);
        if (provider !== undefined) providers.push(provider);
        continue;
      }
      if (entry !== null) refuseStrayKeys(entry, null, serverPath, this.#report);
      const server = this.#server(setting, serverPath, maxConnections, firstPaths);
      if (server !== undefined) servers.push(server);
    }
    if (servers.length > 0 && providers.length === 0 && servers.every(({ weight }) => weight === 0))
      this.#report.warning(path, 'every server here has weight 0: new requests get 503');
    for (const server of servers) this.#drafts.push(server);
    return { servers, providers };
  }

  /** Does the entry say once where its servers are? */
  #hasOnePlace(entry: ServerSettings, kinds: readonly string[], path: Path): boolean {
    const places = [...(Object.hasOwn(entry, 'address') ? ['address'] : []), ...kinds];
    const [first, second] = places;
    if (second !== undefined)
      this.#report.problem([...path, second], `${first} and ${second} cannot both be set`, '', 'key');
    else if (first === undefined)
      this.#report.problem([...path, 'address'], 'missing: expected host:port or unix:/path', '', 'key');
    return places.length === 1;
  }

  #server(
    setting: ServerSetting,
    serverPath: Path,
    maxConnections: number,
    firstPaths: Map<string, Path>,
  ): Draft | undefined {
    const isMap = typeof setting === 'object';
    const addressPath = isMap ? [...serverPath, 'address'] : serverPath;
    const written = isMap ? setting.address : setting;
    if (written === undefined) return undefined;
    const read = this.#report.attempt(addressPath, () => parseServerAddress(written));
    if (!read) return undefined;
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
    return {
      address,
      name: address.text,
      ...compileTerms(isMap ? setting : {}, maxConnections),
      tls: this.#tls.compile(tlsSetting, tlsPath, address),
    };
  }

  /** A source whose servers have the terms of the entry. */
  #provider(
    entry: ServerSettings,
    path: Path,
    maxConnections: number,
    firstPaths: Map<string, Path>,
  ): ProviderConfig | undefined {
    const [kind] = kindsOf(entry);
    if (kind === undefined) return undefined;
    const report = this.#report;
    if (Object.hasOwn(entry, 'name'))
      report.problem(
        [...path, 'name'],
        'a source cannot have a name: each of its servers has its own',
        '',
        'key',
      );
    refuseStrayKeys(entry, kind, path, report);
    const found = compileSource(kind, entry, path, { report, files: this.#files, docker: this.#docker });
    if (found === undefined) return undefined;
    const { text, config: source, isSecure = false } = found;
    const key = identityOf(source);
    const at = [...path, kind];
    const first = firstPaths.get(key);
    if (first) report.repeated(at, `${text} is listed twice, first in`, first);
    else firstPaths.set(key, at);
    if (isSecure && entry.tls === false)
      report.problem([...path, 'tls'], 'the name begins with https://, and tls is false');
    const tls = this.#tls.compile(entry.tls ?? isSecure, [...path, 'tls'], SOMEWHERE);
    return { text, key, source, terms: { ...compileTerms(entry, maxConnections), tls } };
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
