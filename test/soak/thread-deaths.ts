import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Program } from '../cli/support.js';
import { RawClient } from '../support/client.js';
import { FIXTURE_SERVER, openSockets, residentBytes } from '../support/processes.js';
import {
  type KillableFigures,
  type KillableOrder,
  type KillableReport,
  PLACES,
  THREADS,
} from './killable.js';
import { type Cut, ThreadVisitors, type VisitorTerms } from './thread-visitors.js';

const KILLABLE = fileURLToPath(new URL('./killable.js', import.meta.url));
const MEBIBYTE = 1024 * 1024;
const SERVERS = 3;
/** The last thread ends so long before the end, in ms, that its cuts are seen. */
const LAST_MS = 1000;
/** Figures are looked at so often, and after the end for so long: idle connections to servers end after 1 s. */
const SAMPLE_MS = 5000;
const REST_MS = 30_000;

export interface DeathsTerms extends Omit<VisitorTerms, 'port'> {
  readonly seconds: number;
  /** A thread ends so often, in s. */
  readonly every: number;
  /** Clients see the cuts so many ms after the end of a thread at most; what is cut later has another cause. */
  readonly cutMs: number;
  readonly print: (line: string) => void;
}

/** What was seen; `failures`: what should not have been. */
export interface DeathsOutcome {
  readonly answered: number;
  readonly kills: number;
  /** Connections that were cut, by kind, and those whose thread was not known yet. */
  readonly cuts: { readonly [kind in Cut['kind']]: number };
  readonly unknown: number;
  readonly samples: readonly Sample[];
  readonly failures: readonly string[];
}

export interface Sample {
  readonly rss: number;
  readonly heaps: number;
  readonly sockets: number;
}

/** The balancer as a child process. Whatever is asked of it rejects when it ends. */
class Killable {
  readonly #child: ChildProcess;
  #wake: ((report: KillableReport | null) => void)[] = [];

  constructor(servers: readonly string[]) {
    this.#child = fork(KILLABLE, ['killable', ...servers]);
    this.#child.on('message', (message: KillableReport) => {
      // tap sends messages of its own.
      if (typeof message.what === 'string') this.#tell(message);
    });
    this.#child.on('exit', () => this.#tell(null));
  }

  #tell(report: KillableReport | null): void {
    for (const wake of this.#wake.splice(0)) wake(report);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async next<W extends KillableReport['what']>(what: W): Promise<Extract<KillableReport, { what: W }>> {
    for (;;) {
      const report = await new Promise<KillableReport | null>((resolve) => this.#wake.push(resolve));
      if (report === null) throw new Error('the balancer has ended');
      if (report.what === what) return report as Extract<KillableReport, { what: W }>;
    }
  }

  async figures(): Promise<KillableFigures> {
    const figures = this.next('figures');
    this.#send('figures');
    return figures;
  }

  async kill(): Promise<void> {
    const killed = this.next('killed');
    this.#send('kill');
    await killed;
  }

  #send(order: KillableOrder): void {
    this.#child.send(order);
  }

  stop(): void {
    this.#child.kill();
  }
}

/** Traffic through a balancer in threads, of which one ends every few seconds, and what becomes of it. */
export async function sufferDeaths(terms: DeathsTerms): Promise<DeathsOutcome> {
  const fixtures = Array.from(
    { length: SERVERS },
    (_, i) => new Program(['--name', `s${i}`], {}, FIXTURE_SERVER),
  );
  const servers = await Promise.all(fixtures.map((fixture) => fixture.onStderr(/listens on (\S+)/)));
  const killable = new Killable(servers);
  try {
    const { port } = await killable.next('listening');
    return await new Deaths(terms, killable, port).run();
  } finally {
    killable.stop();
    for (const fixture of fixtures) fixture.kill();
  }
}

class Deaths {
  readonly #terms: DeathsTerms;
  readonly #killable: Killable;
  readonly #port: number;
  readonly #samples: Sample[] = [];
  readonly #failures: string[] = [];
  readonly #killed: { readonly from: number; readonly to: number }[] = [];

  constructor(terms: DeathsTerms, killable: Killable, port: number) {
    this.#terms = terms;
    this.#killable = killable;
    this.#port = port;
  }

  async run(): Promise<DeathsOutcome> {
    const { seconds, every } = this.#terms;
    const end = performance.now() + seconds * 1000;
    const sockets = openSockets(this.#killable.pid);
    const visitors = new ThreadVisitors({ ...this.#terms, port: this.#port });
    let sampled = performance.now();
    let killed = performance.now();
    while (performance.now() < end && !this.#killable.hasEnded) {
      await pause(100);
      const now = performance.now();
      // The last one long enough before the end that its cuts are seen.
      if (now - killed >= every * 1000 && end - now > LAST_MS) {
        killed = now;
        await this.#killable.kill();
        this.#killed.push({ from: now, to: performance.now() + this.#terms.cutMs });
      }
      if (now - sampled >= SAMPLE_MS) {
        sampled = now;
        await this.#sample(visitors);
      }
    }
    await visitors.stop();
    this.#judgeCuts(visitors);
    await this.#judgeRest(sockets);
    await this.#judgePlaces();
    this.#judgeMemory();
    const of = (kind: Cut['kind']): number => visitors.cuts.filter((cut) => cut.kind === kind).length;
    return {
      answered: visitors.answered,
      kills: this.#killed.length,
      cuts: { kept: of('kept'), new: of('new'), tunnel: of('tunnel') },
      unknown: visitors.cuts.filter(({ thread }) => thread === '').length,
      samples: this.#samples,
      failures: [...this.#failures, ...visitors.wrong.slice(0, 20)],
    };
  }

  async #sample({ answered, cuts, wrong }: ThreadVisitors): Promise<void> {
    const { heaps } = await this.#killable.figures();
    const { pid } = this.#killable;
    const sample = { rss: residentBytes(pid), heaps, sockets: openSockets(pid) };
    this.#samples.push(sample);
    this.#terms.print(
      `${this.#samples.length * (SAMPLE_MS / 1000)} s: ${mebibytes(sample.rss)} MiB resident, ${mebibytes(heaps)} MiB of ` +
        `objects, ${sample.sockets} sockets, ${answered} answered, ${cuts.length} cut, ${wrong.length} wrong`,
    );
  }

  /** All connections that are cut were in the thread that had just ended, and all that were in it are cut. */
  #judgeCuts({ cuts, open }: ThreadVisitors): void {
    const dead = new Set<string>();
    const threads = this.#killed.map(() => new Set<string>());
    for (const { at, thread, kind, error } of cuts) {
      const kill = this.#killed.findLastIndex(({ from }) => at >= from);
      if (kill === -1 || at > (this.#killed[kill] as { to: number }).to)
        this.#failures.push(`a ${kind} connection was cut while no thread ended: ${error}`);
      else if (thread !== '') threads[kill]?.add(thread);
    }
    for (const { size } of threads)
      if (size > 1) this.#failures.push(`one thread ended, and connections of ${size} were cut`);
    for (const thread of threads.flatMap((set) => [...set])) {
      if (dead.has(thread)) this.#failures.push(`connections of thread ${thread} were cut twice`);
      dead.add(thread);
    }
    for (const [thread, count] of open)
      if (count !== 0) this.#failures.push(`${count} connections of thread ${thread} are left`);
    if (dead.size > this.#killed.length)
      this.#failures.push(`${dead.size} threads had their connections cut`);
  }

  /** Nothing is counted any more, and no server was blamed. */
  async #judgeRest(sockets: number): Promise<void> {
    const patience = performance.now() + REST_MS;
    let figures = await this.#killable.figures();
    // A check may be under way at each server.
    const isAtRest = ({ clients, inFlight, active, waiting, open, running }: KillableFigures): boolean =>
      clients + inFlight + active + waiting + open === 0 &&
      running === THREADS &&
      openSockets(this.#killable.pid) <= sockets + SERVERS;
    while (!isAtRest(figures) && performance.now() < patience) {
      await pause(200);
      figures = await this.#killable.figures();
    }
    const left = openSockets(this.#killable.pid);
    const { clients, inFlight, active, waiting, open, running, failures, ejections } = figures;
    this.#terms.print(
      `at rest: ${clients} clients, ${inFlight} requests, ${active} at servers, ${waiting} waiting, ${open} connections to ` +
        `servers, ${left} sockets (${sockets} at the start), ${running} threads; ${failures} failures of servers, ${ejections} ejections`,
    );
    if (!isAtRest(figures)) this.#failures.push('something is left at rest');
    if (failures + ejections > 0 || figures.stateChanges.length > 0)
      this.#failures.push(`servers were blamed: ${failures} failures, ${figures.stateChanges.join(', ')}`);
    const deaths = figures.warnings.filter((line) => /^thread \d+ has ended/.test(line));
    if (deaths.length !== this.#killed.length || figures.warnings.length !== deaths.length)
      this.#failures.push(
        `${this.#killed.length} threads ended, and the warnings are ${figures.warnings.join('\n')}`,
      );
  }

  /** A client has as many places as at the start: no more, no fewer. */
  async #judgePlaces(): Promise<void> {
    let answered = 0;
    let refused = 0;
    const clients: RawClient[] = [];
    for (let i = 0; i < PLACES + 5; i++) {
      try {
        const client = await RawClient.connect(this.#port);
        clients.push(client);
        client.send('GET / HTTP/1.1\r\nHost: soak\r\n\r\n');
        if ((await client.response()).status === 200) answered++;
      } catch {
        refused++;
      }
    }
    for (const client of clients) client.destroy();
    this.#terms.print(
      `afterwards one client gets ${answered} of ${PLACES} places, and ${refused} of 5 too many are refused`,
    );
    if (answered !== PLACES) this.#failures.push(`a client has ${answered} places of ${PLACES}`);
  }

  /** The mean of the second quarter of the run against that of the last: the first quarter warms up. */
  #judgeMemory(): void {
    if (this.#samples.length < 8) return;
    for (const what of ['rss', 'heaps'] as const) {
      const [before, after] = [this.#mean(what, 0.25, 0.5), this.#mean(what, 0.75, 1)];
      this.#terms.print(
        `${what}: ${mebibytes(before)} MiB in the second quarter, ${mebibytes(after)} in the last`,
      );
      if (after > before * 1.15 + 8 * MEBIBYTE) this.#failures.push(`${what} grew`);
    }
  }

  #mean(what: 'rss' | 'heaps', from: number, to: number): number {
    const { length } = this.#samples;
    const part = this.#samples.slice(Math.floor(length * from), Math.ceil(length * to));
    return part.reduce((sum, sample) => sum + sample[what], 0) / part.length;
  }
}

function mebibytes(bytes: number): string {
  return (bytes / MEBIBYTE).toFixed(1);
}
