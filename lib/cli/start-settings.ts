import { parseAddress } from '../base/address.js';
import { loadConfig } from '../config/config.js';
import { plainListener } from '../config/listeners.js';
import {
  MOST_SHOWN,
  type Problem,
  type Paint as ProblemPaint,
  renderFirst,
  renderProblems,
} from '../config/problems.js';
import type { HealthCheckSettings, Settings } from '../config/settings.js';
import { INTERNAL_TLS } from '../config/tls.js';
import type { Config, ContainerRoute, ListenerConfig, RefusedRoute } from '../config/types.js';
import type { RunOptions } from './args.js';
import { DEMO_HEALTH_CHECK, type DemoServer } from './demo.js';
import { explainFailure } from './failure.js';
import type { Paint } from './paint.js';
import { type FileAccess, SYSTEM_FILES } from './recorded-files.js';

/** What to run, and where it was set. */
export interface StartSettings {
  readonly config: Config;
  /** The configuration file that was read; null without one. */
  readonly file: string | null;
  /** That file, the files it names and the folders it asks for files: everything the configuration depends on. */
  readonly files: readonly string[];
  /** No servers were given: the demo servers are used. */
  readonly isDemo: boolean;
  /** Warnings about the file, ready to print; empty without any. */
  readonly warnings: string;
  /** Routes of containers that there is no place for. */
  readonly refusedRoutes: readonly RefusedRoute[];
}

/** What settings are compiled with besides the file and the command line. */
export interface Additions {
  /** By default the files of the system. */
  readonly files?: FileAccess;
  /** Routes of containers; none by default. */
  readonly routes?: readonly ContainerRoute[];
}

/** The configuration cannot be used; `report` is the text to print, with its line feed. */
export class StartSettingsError extends Error {
  readonly report: string;
  /** The files that were read; another state of them may be fine. */
  readonly files: readonly string[];

  constructor(report: string, files: readonly string[] = []) {
    super(report);
    this.report = report;
    this.files = files;
  }
}

export const DEFAULT_FILE = 'loadbalancer.yaml';

/** The file to read: the named one, or the one in the working directory when no server was given. */
export function configFile(options: RunOptions, exists: (path: string) => boolean): string | null {
  if (options.configFile !== null) return options.configFile;
  return options.servers.length === 0 && exists(DEFAULT_FILE) ? DEFAULT_FILE : null;
}

/** Demo servers, and a listener that is on loopback only, like them. */
export function planDemo(options: RunOptions, servers: readonly DemoServer[]): StartSettings {
  const plan = compile('', {
    ...askedFor(options),
    listen: listenSetting(options, '127.0.0.1:'),
    admin: adminSetting(options) ?? true,
    servers: servers.map(({ name, address }) => ({ name, address })),
    health_check: { ...DEMO_HEALTH_CHECK, ...healthCheck(options) },
  });
  return { ...plan, isDemo: true };
}

/** Servers from the command line, everything else by default. */
export function planServers(options: RunOptions, additions: Additions = {}): StartSettings {
  return compile(
    '',
    { ...askedFor(options), listen: listenSetting(options, '') },
    null,
    undefined,
    additions,
  );
}

/** `host`: with a colon at its end; empty for every interface. */
function listenSetting({ port, tls }: RunOptions, host: string): NonNullable<Settings['listen']> {
  const address = `${host}${port ?? (tls ? 8443 : 8080)}`;
  return tls ? [{ address, tls: 'internal' }] : address;
}

/** A file with the command line on top. Throws a StartSettingsError with all problems and their positions. */
export function planFile(
  options: RunOptions,
  file: string,
  paint: Paint,
  additions: Additions = {},
): StartSettings {
  const text = readConfig(file, additions.files?.readFile);
  const plan = compile(text, askedFor(options), file, paint, additions);
  const { port, tls } = options;
  const asked = port === null ? plan.config.listen : withPort(plan.config.listen, port);
  const listen = tls ? asked.map(encrypted) : asked;
  return { ...plan, config: { ...plan.config, listen } };
}

/** A listener that has certificates keeps them. */
function encrypted(listener: ListenerConfig): ListenerConfig {
  if (listener.tls !== null) return listener;
  return { ...listener, tls: INTERNAL_TLS, redirect: null };
}

/** How the reader of this file, or of none, can set the path of health checks. */
export function pathOption(file: string | null): string {
  return file === null ? '--health-path' : 'health_check.path';
}

/** The text of a configuration file. Throws a StartSettingsError when it cannot be read. */
export function readConfig(file: string, read: FileAccess['readFile'] = SYSTEM_FILES.readFile): string {
  try {
    return read(file);
  } catch (error) {
    const explained = explainFailure(error, { reading: file });
    if (explained === null) throw error;
    // Nobody has named this file.
    const isMissing = file === DEFAULT_FILE && (error as NodeJS.ErrnoException).code === 'ENOENT';
    const advice = isMissing ? ' lb init writes one, -c FILE names another.' : '';
    throw new StartSettingsError(`lb: ${explained}${advice}\n`);
  }
}

function compile(
  text: string,
  overrides: Settings,
  file: string | null = null,
  paint?: Paint,
  { files: access = SYSTEM_FILES, routes = [] }: Additions = {},
): StartSettings {
  const result = loadConfig(text, { file: file ?? '', overrides, needsRoute: true, ...access, routes });
  const files = file === null ? [] : [file, ...result.files];
  const { included } = result;
  const show = (problems: readonly Problem[]): string => {
    const colours = paint === undefined ? {} : { paint: problemPaint(paint) };
    return renderProblems(problems, { file: file ?? '', text, included, most: MOST_SHOWN, ...colours });
  };
  // Without a file, the message is about the command line.
  if (!result.ok)
    throw new StartSettingsError(`${file === null ? 'lb: ' : ''}${show(result.problems)}`, files);
  const label = paint === undefined ? 'warning:' : paint.yellow('warning:');
  const warnings = renderFirst(result.warnings, MOST_SHOWN, (warning) => `${label} ${show([warning])}`);
  const { config, refusedRoutes } = result;
  return { config, file, files, isDemo: false, warnings, refusedRoutes };
}

/** The settings of the command line, which take precedence over the file. */
function askedFor(options: RunOptions): Settings {
  const health = healthCheck(options);
  const admin = adminSetting(options);
  return {
    ...(options.servers.length === 0 ? {} : { servers: options.servers }),
    ...(options.algorithm === null ? {} : { algorithm: options.algorithm }),
    ...(Object.keys(health).length === 0 ? {} : { health_check: health }),
    ...(options.accessLog === null ? {} : { access_log: { format: options.accessLog } }),
    ...(admin === undefined ? {} : { admin }),
    ...(options.workers === null ? {} : { workers: options.workers }),
    // A map, so that what the file says of the engine stays.
    ...(options.docker ? { docker: {} } : {}),
  };
}

function healthCheck({ healthPath, healthInterval }: RunOptions): HealthCheckSettings {
  return {
    ...(healthPath === null ? {} : { path: healthPath }),
    ...(healthInterval === null ? {} : { interval: healthInterval }),
  };
}

/** undefined when the command line does not set it. A map, so that a token of the file stays. */
function adminSetting({ admin }: RunOptions): Settings['admin'] {
  if (admin === null) return undefined;
  return admin === 'off' ? false : { listen: admin };
}

/** The port of the command line takes precedence; the interface and the settings of a single listener of the file stay. */
function withPort(listen: readonly ListenerConfig[], port: number): readonly ListenerConfig[] {
  const [only] = listen;
  const kept = listen.length === 1 && only?.address.kind === 'tcp' ? only : undefined;
  const host = kept?.address.kind === 'tcp' ? kept.address.host : '';
  const address = parseAddress(port, { defaultHost: host });
  return [{ ...(kept ?? plainListener(address)), address }];
}

/** The colours in which problems of a file are shown. */
export function problemPaint(paint: Paint): ProblemPaint {
  return { place: paint.bold, path: paint.cyan, hint: paint.green, gutter: paint.dim, mark: paint.red };
}
