import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns';
import { once } from 'node:events';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { until } from './loop-ticks.js';

/** Is BIND there? Debian has it as the package bind9. */
export const hasNamed = spawnSync('named', ['-v']).status === 0;

/** The zone `test` on a BIND of its own, on a free port of 127.0.0.1. */
export class Named {
  readonly port: number;
  readonly #folder: string;
  #serial = 1;
  #process: ChildProcess | null = null;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  static async start(t: Test, records: readonly string[]): Promise<Named> {
    const probe = createSocket('udp4');
    probe.bind(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address();
    probe.close();
    const named = new Named(t.testdir(), port);
    named.#write(records);
    await named.run();
    t.teardown(() => named.stop());
    return named;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The records of the zone from now on, such as `api 1 A 127.0.0.1`. */
  async set(records: readonly string[]): Promise<void> {
    this.#write(records);
    this.#process?.kill('SIGHUP');
    await this.#knows(`serial ${this.#serial}`);
  }

  /** Serves the zone, again perhaps. */
  async run(): Promise<void> {
    this.#spawn('zone "test" { type primary; file "test.zone"; };');
    await this.#knows(`serial ${this.#serial}`);
  }

  /**
   * From now on it answers every question with an error: SERVFAIL, as for a zone that it could not load, or REFUSED, as for a
   * name that is none of its own; or with nothing at all.
   */
  async fail(how: 'ESERVFAIL' | 'EREFUSED' | 'ETIMEOUT'): Promise<void> {
    if (how === 'ETIMEOUT') {
      this.#process?.kill('SIGSTOP');
      return;
    }
    await this.stop();
    this.#spawn(how === 'EREFUSED' ? '' : 'zone "test" { type primary; file "nowhere.zone"; };');
    await this.#answers(how);
  }

  /** Serves the zone after `fail`, with these records. */
  async mend(records: readonly string[]): Promise<void> {
    this.#write(records);
    await this.stop();
    await this.run();
  }

  #spawn(zone: string): void {
    const conf = join(this.#folder, 'named.conf');
    writeFileSync(
      conf,
      `options {
        directory "${this.#folder}"; pid-file none; session-keyfile none; listen-on-v6 { none; };
        listen-on port ${this.port} { 127.0.0.1; }; recursion no; dnssec-validation no; notify no;
        max-records-per-type 0;
      };
      controls { };
      ${zone}
      `,
    );
    const process = spawn('named', ['-f', '-c', conf], { stdio: 'ignore' });
    process.on('error', () => {});
    this.#process = process;
  }

  async stop(): Promise<void> {
    const process = this.#process;
    this.#process = null;
    if (process === null || process.exitCode !== null) return;
    process.kill('SIGKILL');
    await once(process, 'exit');
  }

  #write(records: readonly string[]): void {
    this.#serial++;
    const zone = [
      '$TTL 1',
      `@ IN SOA ns.test. root.test. ( ${this.#serial} 3600 600 86400 1 )`,
      '@ IN NS ns.test.',
      'ns 1 A 127.0.0.1',
      `version 1 TXT "serial ${this.#serial}"`,
      ...records,
    ];
    const path = join(this.#folder, 'test.zone');
    writeFileSync(path, `${zone.join('\n')}\n`);
    // It compares the seconds of these times.
    utimesSync(path, new Date(), new Date(Date.UTC(2026, 0, 1) + 1000 * this.#serial));
  }

  /** Waits until it serves the zone with this text. */
  #knows(text: string): Promise<void> {
    return this.#answers(text);
  }

  /** Waits until a question for the version of the zone is answered with this text, or with this error. */
  async #answers(text: string): Promise<void> {
    const resolver = new Resolver({ timeout: 500, tries: 1 });
    resolver.setServers([this.address]);
    let known = '';
    let asking = false;
    await until(() => {
      if (known === text) return true;
      if (asking) return false;
      asking = true;
      resolver.resolveTxt('version.test', (error, answer) => {
        known = error === null ? (answer[0]?.[0] ?? '') : (error.code ?? '');
        asking = false;
      });
      return false;
    }, `named says ${text}`);
  }
}
