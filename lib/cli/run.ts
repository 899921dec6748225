import { existsSync } from 'node:fs';
import type { Observer } from '../base/observer.js';
import { systemClock, TimerWheel } from '../base/timer-wheel.js';
import { formatDuration, ValueError } from '../base/units.js';
import { serversOf, sourcesOf } from '../config/inventory.js';
import type { Config, ContainerRoute } from '../config/types.js';
import type { Balancer, BalancerOptions } from '../control/balancer-contract.js';
import { DockerEngines } from '../discovery/docker-engines.js';
import { describeInherited, InheritedSockets } from '../net/inherited-sockets.js';
import { socketMeans } from '../net/socket-choice.js';
import { ObserverList } from '../observe/observer-list.js';
import { CertificateError } from '../tls/finding.js';
import { AuthorityError, authorityFile, authorityFolder } from '../tls/local-authority.js';
import { AdminDoor } from './admin-door.js';
import type { RunOptions } from './args.js';
import { banner } from './banner.js';
import { renderFindings } from './certificate-report.js';
import { complain, fitted, writeReport } from './complaint.js';
import { ConsoleLog } from './console-log.js';
import { ContainerRoutes } from './container-routes.js';
import { type Demo, startDemo } from './demo.js';
import { count, humanDuration } from './error-text.js';
import { EventFeed } from './event-feed.js';
import { type Attempt, explainFailure } from './failure.js';
import { FileWatch } from './file-watch.js';
import { KeptChanges } from './kept-changes.js';
import { type FileRecord, recordedFiles, recordFiles, SYSTEM_FILES } from './recorded-files.js';
import { Reload } from './reload.js';
import { RequestLog } from './request-log.js';
import type { ServiceManager } from './service-manager.js';
import {
  type Additions,
  configFile,
  pathOption,
  planDemo,
  planFile,
  planServers,
  type StartSettings,
  StartSettingsError,
} from './start-settings.js';
import { StateFile } from './state-file.js';
import { EXIT_CODE, type SignalSource, type StopSignal, StopSignals } from './stop-signals.js';
import type { Terminal } from './terminal.js';
import type { Relaunch } from './upgrade/new-program.js';
import { Upgrade } from './upgrade/upgrade.js';

/** The parts of the process that a run needs. */
export interface RunContext {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly signals: SignalSource;
  readonly version: string;
  /** The command that started this program, for examples that can be copied. */
  readonly program: string;
  readonly env: { readonly LB_SOCKETS?: string | undefined };
  readonly createBalancer: (config: Config, observer: Observer, options: BalancerOptions) => Balancer;
  /** Sockets that this process was started with; none by default. */
  readonly inherited?: InheritedSockets;
  /** The program that this one takes over from; none by default. */
  readonly takeover?: Takeover | null;
  /** How this program was started, and why it cannot be replaced by a new one; by default it cannot. */
  readonly relaunch?: { readonly how: Relaunch; readonly obstacle: string | null } | null;
  /** Tells a service manager what the program does; none by default. */
  readonly serviceManager?: (warn: (message: string) => void) => ServiceManager | null;
  /** Registers what must still happen when the process ends without waiting. */
  readonly atExit: (last: () => void) => void;
}

/** What was found out before the balancer is made. */
interface PlannedContext extends RunContext {
  readonly engines: DockerEngines;
  readonly containers: ContainerRoutes;
  /** Where signals were listened to already. */
  readonly stops?: StopSignals;
  /** The routes of containers that the plan has. */
  readonly routes?: readonly ContainerRoute[];
  /** The files of the settings, where containers add routes to them. */
  readonly record?: FileRecord;
}

/** What the old program has left to this one. */
export interface Takeover {
  /** The changes of operators, as `writeChanges` writes them; null without any. */
  readonly changes: string | null;
  /** Tells the old program that this one serves. */
  ready(): void;
}

/** Runs the balancer until it has to stop. Resolves with the exit code when everything is closed. */
export async function run(options: RunOptions, context: RunContext): Promise<number> {
  const file = configFile(options, existsSync);
  const asksForDemo = file === null && options.servers.length === 0 && !options.docker;
  const demo = asksForDemo ? await startDemo() : null;
  const wheel = new TimerWheel(systemClock);
  const engines = new DockerEngines({ wheel });
  const containers = new ContainerRoutes(engines, wheel);
  let included: Config['included'] = [];
  let stops: StopSignals | undefined;
  try {
    if (options.watch && file === null)
      throw new StartError('--watch needs a settings file: name it with -c.');
    checkSockets(context.env.LB_SOCKETS);
    const { access, record } = recordFiles(SYSTEM_FILES);
    const alone = makePlan(options, context, file, demo, { files: access });
    included = alone.config.included;
    context.stderr.write(fitted(alone.warnings, context.stderr.columns));
    if (alone.config.docker === null)
      return await balance(alone, options, { ...context, engines, containers });
    containers.follow(alone.config.docker);
    stops = new StopSignals(context.signals, hangsUp(alone, context));
    const cut = stops.first.then((signal) => Promise.reject(new CutShort(signal, 'nothing')));
    await Promise.race([containers.first(alone.config.timeouts.discovery), cut]);
    const routes = containers.current;
    const plan = makePlan(options, context, file, demo, { files: recordedFiles(record), routes });
    containers.refuse(plan.refusedRoutes);
    return await balance(plan, options, { ...context, engines, containers, stops, routes, record });
  } catch (error) {
    if (error instanceof CutShort) return cutShort(error, options, context);
    if (error instanceof StartSettingsError) writeReport(context.stderr, error.report);
    else if (error instanceof StartError || error instanceof AuthorityError)
      complain(context.stderr, error.message);
    else if (error instanceof CertificateError)
      context.stderr.write(renderFindings(error.findings, file, included, context.stderr.paint));
    else throw error;
    return 1;
  } finally {
    stops?.detach();
    containers.stop();
    wheel.close();
    await demo?.close();
  }
}

/** The system refused something at the start; the message says what to do. */
class StartError extends Error {}

/** It was told to stop before it was up. */
class CutShort extends Error {
  readonly signal: StopSignal;
  /** What the second signal cuts; a first one is enough while it only waits for sources of servers. */
  readonly cuts: 'nothing' | 'the start';

  constructor(signal: StopSignal, cuts: CutShort['cuts']) {
    super(`${signal} before it had started`);
    this.signal = signal;
    this.cuts = cuts;
  }
}

/** Says that a first signal was enough, and returns the exit code. */
function cutShort({ signal, cuts }: CutShort, { volume }: RunOptions, { stderr }: RunContext): number {
  if (cuts === 'the start') return EXIT_CODE[signal];
  const erased = signal === 'SIGINT' && stderr.isTty ? '\r' : '';
  if (volume !== 'quiet')
    stderr.write(`${erased}lb: stopped before it had started, while it waited for its sources of servers\n`);
  return 0;
}

/** May the terminal close, with nothing that SIGHUP could reload? */
function hangsUp({ file }: StartSettings, { stderr }: RunContext): boolean {
  return file === null && stderr.isTty;
}

/** The balancer reads this configuration, and would throw after everything else was opened. */
function checkSockets(means: string | undefined): void {
  try {
    socketMeans(means, 'LB_SOCKETS');
  } catch (error) {
    throw error instanceof ValueError ? new StartError(`${error.message}.`) : error;
  }
}

function makePlan(
  options: RunOptions,
  context: RunContext,
  file: string | null,
  demo: Demo | null,
  additions: Additions,
): StartSettings {
  if (file !== null) return planFile(options, file, context.stderr.paint, additions);
  return demo === null ? planServers(options, additions) : planDemo(options, demo.servers);
}

async function balance(plan: StartSettings, options: RunOptions, context: PlannedContext): Promise<number> {
  const { config } = plan;
  const { stderr, signals, version, program, inherited = new InheritedSockets([]) } = context;
  const { takeover = null, engines, containers, routes = containers.current, record = null } = context;
  const consoleLog = new ConsoleLog({
    terminal: stderr,
    servers: serversOf(config).length,
    volume: options.volume,
  });
  consoleLog.applyConfig(config, pathOption(plan.file));
  const state = new KeptChanges(await openState(config, consoleLog), takeover?.changes ?? null);
  const log = await openLog(config, options, context.stdout, consoleLog);
  const admin = config.admin === null ? null : new AdminDoor(plan, config.admin);
  const feed = new EventFeed(version, (message) => consoleLog.warn(message));
  const reloads: Observer = {
    event: ({ what }) => {
      if (what === 'reloaded') followReload(balancer.config, log, feed, consoleLog);
    },
  };
  const observers: Observer[] = [consoleLog, log, reloads];
  if (admin !== null) observers.push(admin.observer);
  const balancer: Balancer = context.createBalancer(config, new ObserverList(observers), {
    configPath: plan.file,
    store: state,
    inherited,
    engines,
    workers: 'settings',
    counts: { droppedLines: () => log.dropped, droppedEvents: () => feed.dropped },
  });
  feed.applyConfig(config);
  feed.attach(balancer);
  const isHungUp = hangsUp(plan, context);
  const { stops = new StopSignals(signals, isHungUp) } = context;
  const reopen = (): void => log.reopen();
  let tellUp = (): void => {};
  const up = new Promise<void>((resolve) => {
    tellUp = resolve;
  });
  const manager = context.serviceManager?.((message) => consoleLog.warn(message)) ?? null;
  // What containers asked for while a new program was starting.
  const onUpgradeFailed = (): void => void reload.runRoutes();
  const upgrade =
    admin === null
      ? null
      : upgradeOf(context, { balancer, consoleLog, state, admin, manager, onUpgradeFailed });
  const reload = new Reload(balancer, plan, options, {
    terminal: stderr,
    consoleLog,
    up,
    manager,
    containers,
    routes,
    record,
  });
  const onHangUp = (): void => void reload.run();
  const watched = (): readonly string[] => [...reload.files, ...balancer.certificateFiles];
  const onChange = (files: readonly string[]): void => {
    const certificates = new Set(balancer.certificateFiles);
    const areCertificates = files.every((path) => certificates.has(path) && !reload.files.includes(path));
    void (areCertificates ? reload.runCertificates() : reload.run());
  };
  const watch = options.watch ? new FileWatch(watched, onChange) : null;
  // Node opens a debugger at SIGUSR1, for every user of this machine, unless there is a listener.
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) signals.on(signal, reopen);
  if (!isHungUp) signals.on('SIGHUP', onHangUp);
  context.atExit(() => log.closeNow());
  try {
    await watch?.start();
    await attempt({ listening: true }, () => Promise.race([balancer.start(), ...startCuts(config, stops)]));
    if (admin !== null)
      await attempt({ listening: true }, async () => {
        try {
          await admin.open({ balancer, reload, log, feed, consoleLog, inherited, upgrade });
        } catch (error) {
          // Its inherited sockets may have brought requests already, which the old program goes on to take.
          if (takeover !== null) await balancer.drain();
          throw error;
        }
      });
    for (const socket of inherited.closeRest())
      consoleLog.warn(
        `the inherited socket ${describeInherited(socket)} belongs to no listener and is closed`,
      );
    tellUp();
    const { addresses } = balancer;
    if (options.volume !== 'quiet') {
      const { paint } = stderr;
      const isWatched = options.watch;
      const restored = config.stateFile === null ? 0 : balancer.status().config.drift.length;
      const authority = authorityFile(authorityFolder());
      const facts = { version, program, plan, addresses, isWatched, restored, paint, authority };
      stderr.write(banner({ ...facts, admin: admin?.address ?? null }));
    }
    consoleLog.introduced();
    await tellManager(manager, balancer, takeover);
    takeover?.ready();
    return await stopWhenTold({ balancer, stops, upgrade, admin, manager, config, consoleLog });
  } finally {
    watch?.stop();
    admin?.close();
    balancer.stop();
    stops.detach();
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) signals.off(signal, reopen);
    signals.off('SIGHUP', onHangUp);
    // With several threads, the last lines of the log come with their ends.
    await balancer.ended;
    await Promise.all([log.close(), feed.close(), state.close(), manager?.close()]);
  }
}

/** What ends the start: resolving the name of an interface may take long, and sources of servers may not answer. */
function startCuts(config: Config, stops: StopSignals): readonly Promise<never>[] {
  const cuts = [stops.second.then((signal) => Promise.reject(new CutShort(signal, 'the start')))];
  if (sourcesOf(config).size > 0)
    cuts.push(stops.first.then((signal) => Promise.reject(new CutShort(signal, 'nothing'))));
  return cuts;
}

function openLog(
  config: Config,
  { accessLog, accessLogFile: file, volume }: RunOptions,
  stdout: Terminal,
  consoleLog: ConsoleLog,
): Promise<RequestLog> {
  const warning = (message: string): void => consoleLog.warn(message);
  const quiet = volume === 'quiet' && accessLog === null;
  const log = new RequestLog({ stdout, file, quiet, warning });
  return attempt({ writing: file ?? config.accessLog.file ?? 'standard output' }, async () => {
    log.applyConfig(config);
    return log;
  });
}

async function openState({ stateFile: path }: Config, consoleLog: ConsoleLog): Promise<StateFile | null> {
  if (path === null) return null;
  return attempt({ writing: path }, () => StateFile.open(path, (message) => consoleLog.warn(message)));
}

/** The log and the webhook use the current settings. */
function followReload(config: Config, log: RequestLog, feed: EventFeed, consoleLog: ConsoleLog): void {
  feed.applyConfig(config);
  try {
    log.applyConfig(config);
  } catch (error) {
    consoleLog.warn(`access log: ${(error as Error).message}; it goes on as before`);
  }
}

/** The service manager must know of the new process before the old one ends: the end of that would be that of the service. */
async function tellManager(
  manager: ServiceManager | null,
  balancer: Balancer,
  takeover: Takeover | null,
): Promise<void> {
  if (manager === null) return;
  const told = manager.ready(servingOn(balancer));
  if (takeover !== null && !(await told)) {
    await balancer.drain();
    throw new StartError('systemd could not be told that this is the service now.');
  }
  manager.watch(() => balancer.isAlive());
}

function servingOn({ addresses }: Balancer): string {
  return `serving on ${addresses.map(({ text }) => text).join(', ')}`;
}

/** null: it is not known how this program was started. */
function upgradeOf(
  { relaunch = null }: RunContext,
  parts: {
    readonly balancer: Balancer;
    readonly consoleLog: ConsoleLog;
    readonly state: KeptChanges;
    readonly admin: AdminDoor;
    readonly manager: ServiceManager | null;
    readonly onUpgradeFailed: () => void;
  },
): Upgrade | null {
  if (relaunch === null) return null;
  const { balancer, consoleLog, state, admin, manager, onUpgradeFailed } = parts;
  return new Upgrade({
    balancer,
    consoleLog,
    relaunch: relaunch.how,
    obstacle: relaunch.obstacle,
    adminSocket: () => admin.socket,
    changes: () => state.handOver(),
    onTakenOver: () => {
      state.release();
      manager?.unwatch();
    },
    onFailed: () => {
      // The new program may have said already that it is the service.
      void manager?.ready(servingOn(balancer));
      onUpgradeFailed();
    },
  });
}

/** What ends when the program is told to stop. */
interface Running {
  readonly balancer: Balancer;
  readonly stops: StopSignals;
  readonly upgrade: Upgrade | null;
  readonly admin: AdminDoor | null;
  readonly manager: ServiceManager | null;
  readonly config: Config;
  readonly consoleLog: ConsoleLog;
}

/**
 * First signal: announce the shutdown, then drain. A signal during the announcement skips it; a signal during the drain
 * stops at once. After an upgrade it drains without a signal: a first one is told what the second does.
 */
async function stopWhenTold({
  balancer,
  stops,
  upgrade,
  admin,
  manager,
  config,
  consoleLog,
}: Running): Promise<number> {
  const since = performance.now();
  const signal = await Promise.race([
    stops.first,
    ...(upgrade === null ? [] : [upgrade.done.then(() => null)]),
  ]);
  if (signal === null) return endAfterUpgrade({ balancer, stops, admin, consoleLog }, since);
  upgrade?.cancel();
  manager?.stopping('finishing what is in flight');
  if (signal === 'SIGINT') consoleLog.eraseInterrupt();
  const repeat = signal === 'SIGINT' ? 'Ctrl-C' : signal;
  const isHurried = await takeLeave(balancer, stops, repeat, consoleLog);
  const patience = config.timeouts.drain === 0 ? '' : `up to ${formatDuration(config.timeouts.drain)} for `;
  consoleLog.mention(`stopping: ${patience}requests in flight, ${repeat} again cuts them`);
  const drained = drainedCode(balancer, since, consoleLog);
  return Promise.race([drained, cutCode(isHurried ? stops.third : stops.second, consoleLog)]);
}

/** A new program has taken over. */
async function endAfterUpgrade(
  { balancer, stops, admin, consoleLog }: Pick<Running, 'balancer' | 'stops' | 'admin' | 'consoleLog'>,
  since: number,
): Promise<number> {
  void stops.first.then((signal) => {
    if (signal === 'SIGINT') consoleLog.eraseInterrupt();
    consoleLog.mention(
      `ending already: ${signal === 'SIGINT' ? 'Ctrl-C' : signal} again cuts what is in flight`,
    );
  });
  // The client that asked for the upgrade is answered before the last connection is gone.
  const ended = Promise.all([drainedCode(balancer, since, consoleLog), admin?.leave()]).then(
    ([code]) => code,
  );
  return Promise.race([ended, cutCode(stops.second, consoleLog)]);
}

async function drainedCode(balancer: Balancer, since: number, consoleLog: ConsoleLog): Promise<number> {
  const clean = await balancer.drain();
  const text = stoppedText(consoleLog.requests, performance.now() - since, clean);
  if (clean) consoleLog.mention(text);
  else consoleLog.say(text);
  return clean ? 0 : 1;
}

/** `requests`: those that have ended. `clean`: none was cut. */
function stoppedText(requests: number, ms: number, clean: boolean): string {
  const time = humanDuration(ms);
  if (requests === 0)
    return `stopped after ${time}, ${clean ? 'no request came' : 'requests in flight were cut'}`;
  const work = `${count(requests, 'request')} in ${time}`;
  return `stopped after ${work}, ${clean ? 'every request was answered' : 'requests still in flight were cut'}`;
}

async function cutCode(told: Promise<StopSignal>, consoleLog: ConsoleLog): Promise<number> {
  const last = await told;
  if (last === 'SIGINT') consoleLog.eraseInterrupt();
  consoleLog.say('stopped at once');
  return EXIT_CODE[last];
}

/** Waits so that a balancer in front can notice. True: a second signal has cut this short. */
async function takeLeave(
  balancer: Balancer,
  stops: StopSignals,
  repeat: string,
  consoleLog: ConsoleLog,
): Promise<boolean> {
  const { drainDelay } = balancer.config.timeouts;
  if (drainDelay === 0) return false;
  consoleLog.mention(
    `not ready: requests are served for another ${formatDuration(drainDelay)}, ${repeat} again skips that`,
  );
  const second = await Promise.race([balancer.leave().then(() => null), stops.second]);
  if (second === 'SIGINT') consoleLog.eraseInterrupt();
  return second !== null;
}

async function attempt<T>(what: Attempt, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const explained = explainFailure(error, what);
    if (explained === null) throw error;
    throw new StartError(explained);
  }
}
