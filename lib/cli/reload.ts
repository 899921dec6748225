import { stripVTControlCharacters } from 'node:util';
import type { ReloadOutcome } from '../admin/admin-target.js';
import type { Config, ContainerRoute } from '../config/types.js';
import type { Balancer } from '../control/balancer-contract.js';
import { OperationError } from '../control/status/operations.js';
import { escapeForScreen } from '../observe/escape.js';
import { CertificateError } from '../tls/finding.js';
import { AuthorityError } from '../tls/local-authority.js';
import type { RunOptions } from './args.js';
import { renderFindings } from './certificate-report.js';
import { writeReport } from './complaint.js';
import type { ConsoleLog } from './console-log.js';
import { type ContainerRoutes, describeChange } from './container-routes.js';
import { count } from './error-text.js';
import { explainFailure } from './failure.js';
import { readSettings, type SettingsReading } from './read-settings.js';
import type { FileRecord } from './recorded-files.js';
import type { ServiceManager } from './service-manager.js';
import { pathOption, planServers, type StartSettings, StartSettingsError } from './start-settings.js';
import type { Terminal } from './terminal.js';

/** What a reload needs besides the balancer. */
export interface ReloadDeps {
  readonly terminal: Terminal;
  readonly consoleLog: ConsoleLog;
  /** Resolves when the balancer has started: no reload begins before. */
  readonly up: Promise<void>;
  readonly manager?: ServiceManager | null;
  /** The routes of containers; none by default. */
  readonly containers?: ContainerRoutes | null;
  /** Those of them that are in force at the start. */
  readonly routes?: readonly ContainerRoute[];
  /** What was read at the start. */
  readonly record?: FileRecord | null;
}

/**
 * SIGHUP: reloads the settings file. The file is checked as a whole first, with its tests; if anything is wrong, all
 * problems are printed and the current settings stay in force.
 */
export class Reload {
  readonly #balancer: Balancer;
  readonly #file: string | null;
  #files: readonly string[];
  /** The files of a reload that was refused. */
  #tried: readonly string[] = [];
  readonly #options: RunOptions;
  readonly #terminal: Terminal;
  readonly #consoleLog: ConsoleLog;
  readonly #manager: ServiceManager | null;
  /** Reloads run one after the other. */
  #last: Promise<unknown>;

  readonly #containers: ContainerRoutes | null;
  #record: FileRecord | null;
  /** The routes of containers that are in force. */
  #routes: readonly ContainerRoute[];
  /** Is there a reload for other routes that has not begun? */
  #isDue = false;

  constructor(balancer: Balancer, { file, files }: StartSettings, options: RunOptions, deps: ReloadDeps) {
    const { terminal, consoleLog, up, manager = null, containers = null, routes = [], record = null } = deps;
    this.#manager = manager;
    this.#last = up;
    this.#balancer = balancer;
    this.#file = file;
    this.#files = files;
    this.#options = options;
    this.#terminal = terminal;
    this.#consoleLog = consoleLog;
    this.#containers = containers;
    this.#record = record;
    this.#routes = routes;
    if (containers === null) return;
    containers.onChange = () => void this.runRoutes();
    if (containers.current !== routes) void this.runRoutes();
  }

  /** The files that the current settings were read from, and those of a reload that was refused: one of them may be mended. */
  get files(): readonly string[] {
    return [...new Set([...this.#files, ...this.#tried])];
  }

  run(): Promise<ReloadOutcome> {
    const outcome = this.#last.then(async () => {
      this.#manager?.reloading();
      try {
        return await this.#reload();
      } finally {
        this.#manager?.reloaded();
      }
    });
    this.#last = outcome.catch(() => {});
    return outcome;
  }

  /** Files of certificates have changed: what is new in them is shown from the next handshake on. */
  runCertificates(): Promise<void> {
    const outcome = this.#last.then(() => this.#reloadCertificates());
    this.#last = outcome;
    return outcome;
  }

  /** Containers ask for other routes: the settings in force are compiled with these, whatever their files say by now. */
  runRoutes(): Promise<void> {
    if (this.#isDue || this.#containers === null) return Promise.resolve();
    this.#isDue = true;
    const outcome = this.#last.then(() => this.#reloadRoutes());
    this.#last = outcome;
    return outcome;
  }

  async #reloadRoutes(): Promise<void> {
    this.#isDue = false;
    const routes = this.#containers?.current ?? [];
    const before = this.#routes;
    if (JSON.stringify(routes) === JSON.stringify(before)) return;
    try {
      const { config, refusedRoutes } = await this.#withRoutes(routes);
      await this.#balancer.reload(config);
      this.#routes = routes;
      this.#containers?.refuse(refusedRoutes);
      this.#consoleLog.applyConfig(config, pathOption(this.#file));
      this.#consoleLog.mention(`routes of containers: ${escapeForScreen(describeChange(before, routes))}`);
    } catch (error) {
      // A balancer that ends has said so. If a new program does not take over, this is called again.
      if (error instanceof OperationError && error.code !== 'bad_value') return;
      const message = error instanceof Error ? error.message : String(error);
      this.#consoleLog.say(`routes of containers stay as they are: ${message}`);
      this.#balancer.refuseReload(`routes of containers: ${message}`);
    }
  }

  #withRoutes(routes: readonly ContainerRoute[]): Promise<Pick<SettingsReading, 'config' | 'refusedRoutes'>> {
    const file = this.#file;
    if (file === null) return Promise.resolve(planServers(this.#options, { routes }));
    const { inColour } = this.#terminal;
    return readSettings({ options: this.#options, file, inColour, routes, record: this.#record });
  }

  async #reloadCertificates(): Promise<void> {
    try {
      // The console learns of it from the events.
      await this.#balancer.reloadCertificates();
    } catch (error) {
      this.#consoleLog.say(error instanceof Error ? error.message : String(error));
    }
  }

  async #reload(): Promise<ReloadOutcome> {
    const file = this.#file;
    if (file === null) {
      const message = 'there is no settings file to read again, nothing has changed';
      this.#consoleLog.say(`SIGHUP: ${message}`);
      return { ok: false, message, report: '' };
    }
    let included: Config['included'] = [];
    try {
      const routes = this.#containers?.current ?? [];
      const { config, files, warnings, failures, record, refusedRoutes } = await readSettings({
        options: this.#options,
        file,
        inColour: this.#terminal.inColour,
        routes,
      });
      included = config.included;
      this.#tried = files;
      this.#terminal.write(warnings);
      if (failures !== '') throw new StartSettingsError(failures, files);
      this.#warnOfNextStart(config);
      await this.#balancer.reload(config);
      this.#files = files;
      this.#tried = [];
      this.#record = record;
      this.#routes = config.docker === null ? [] : routes;
      this.#containers?.follow(config.docker);
      this.#containers?.refuse(refusedRoutes);
      this.#consoleLog.applyConfig(config, pathOption(file));
      const message = `reloaded ${file}`;
      this.#consoleLog.mention(message);
      return { ok: true, message, report: '' };
    } catch (error) {
      if (error instanceof StartSettingsError) this.#tried = error.files;
      return this.#refuse(file, included, error);
    }
  }

  #warnOfNextStart({ admin, stateFile }: Config): void {
    const { config } = this.#balancer;
    if (JSON.stringify(withoutTls(admin)) !== JSON.stringify(withoutTls(config.admin)))
      this.#consoleLog.warn('what changed under admin takes effect at the next start');
    if (stateFile !== config.stateFile)
      this.#consoleLog.warn('another state_file takes effect at the next start');
  }

  #refuse(file: string, included: Config['included'], error: unknown): ReloadOutcome {
    let report: string;
    const shown =
      error instanceof StartSettingsError
        ? error.report
        : error instanceof CertificateError
          ? renderFindings(error.findings, file, included, this.#terminal.paint)
          : null;
    if (shown !== null) {
      report = stripVTControlCharacters(shown);
      writeReport(this.#terminal, shown);
    } else {
      const explained =
        error instanceof OperationError || error instanceof AuthorityError
          ? error.message
          : (explainFailure(error, { listening: true }) ?? internalError(error));
      report = `${explained}\n`;
      this.#consoleLog.say(explained);
    }
    const message = `${file} was not loaded`;
    this.#consoleLog.say(`${message}: the previous settings stay in force`);
    this.#balancer.refuseReload(firstProblem(report));
    return { ok: false, message, report };
  }
}

/** Certificates are followed; whether there is TLS is not. */
function withoutTls(admin: Config['admin']): object | null {
  return admin === null ? null : { ...admin, tls: admin.tls !== null };
}

/** The first problem of a report in one line, and how many there are beside it: each begins with its place. */
function firstProblem(report: string): string {
  const [first = '', ...lines] = report.split('\n');
  const rest = lines.map((line) => /^and ([\d,]+) more$/.exec(line)?.[1]?.replaceAll(',', '')).find(Boolean);
  const more = lines.filter((line) => /^\S.*:\d+ {2}/.test(line)).length + Number(rest ?? 0);
  return more === 0 ? first : `${first} (lb check shows ${count(more, 'other problem')})`;
}

/** A bug in lb. It is reported here, because a failed reload must not end the program. */
function internalError(error: unknown): string {
  const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `internal error, please report it: ${told}`;
}
