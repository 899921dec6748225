import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Test } from 'tap';
import { startFixtureServer } from '../../fixtures/server.js';
import { freePorts } from '../bench/machine.js';
import { blocksOf, sectionOf } from '../docs/markdown.js';
import { ShellSession } from '../docs/session.js';
import { packInto, repacked } from './packed.js';

/** What the package is upgraded to. */
export const NEXT_VERSION = '99.0.0';
/** Ports of the pages; here they are free ones. */
const PORTS = ['8080', '9090', '5001', '5002'];
/** Variables that the pages take secrets from. */
const ENV = { LB_SECRET: 'of-the-cookie-16' };

/** An empty folder, two servers, and a shell in the folder. */
export class Hour {
  readonly cwd: string;
  readonly packages: { readonly first: string; readonly next: string };
  readonly #ports: readonly string[];
  readonly #shell: ShellSession;

  private constructor(
    cwd: string,
    ports: readonly string[],
    packages: Hour['packages'],
    shell: ShellSession,
  ) {
    this.cwd = cwd;
    this.packages = packages;
    this.#ports = ports;
    this.#shell = shell;
  }

  static async begin(t: Test): Promise<Hour> {
    // Outside of the project, which npm would take for the one to install into.
    const folder = mkdtempSync(join(tmpdir(), 'lb-first-hour-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const [packed, cwd] = [join(folder, 'packed'), join(folder, 'app')];
    for (const path of [packed, cwd]) mkdirSync(path);
    writeFileSync(
      join(cwd, '.npmrc'),
      'audit=false\nfund=false\nupdate-notifier=false\nprefer-offline=true\n',
    );
    const { filename } = await packInto(packed);
    const next = await repacked(packed, filename, NEXT_VERSION);
    const ports = await freePorts(PORTS.length);
    const servers = await Promise.all(
      ['one', 'two'].map((name, index) => startFixtureServer({ name, port: ports[2 + index] ?? 0 })),
    );
    t.teardown(() => Promise.all(servers.map((server) => server.close())));
    const shell = new ShellSession(cwd, { ...process.env, ...ENV, NO_COLOR: '1', LB_ADMIN_TOKEN: '' });
    t.teardown(() => shell.close());
    const packages = { first: join(packed, filename), next: join(packed, next) };
    return new Hour(cwd, ports.map(String), packages, shell);
  }

  /** The text of a page with the ports that are free here. */
  here(text: string): string {
    return PORTS.reduce((moving, port, index) => moving.replaceAll(port, this.#ports[index] ?? port), text);
  }

  /** Types a command; `settled` is when its answer is there. */
  type(command: string, settled: (output: string) => boolean = () => true): Promise<string> {
    // What reads its input would read the commands that follow.
    return this.#shell.run(`{ ${this.here(command)}; } </dev/null`, settled);
  }

  /** Types a command until it answers as expected, for what takes a moment to be so. */
  async see(command: string, expected: (output: string) => boolean): Promise<string> {
    let output = await this.type(command);
    for (let times = 0; times < 100 && !expected(output); times++) {
      await this.type('sleep 0.1');
      output = await this.type(command);
    }
    return output;
  }

  /**
   * Puts a settings file of a page in force: checked with its tests, then saved, which --watch takes over. What the page
   * leaves out, because it is no part of the recipe, stays as it is.
   */
  async settings(t: Test, path: string, heading: string): Promise<void> {
    const [block] = blocksOf(sectionOf(path, heading)).filter(({ language }) => language === 'yaml');
    const text = `listen: 8080\nadmin: 9090\nhealth_check: { path: /healthcheck, interval: 1s }\n${block?.text}`;
    const log = join(this.cwd, 'lb.log');
    const reloads = (): number => readFileSync(log, 'utf8').match(/ reloaded /g)?.length ?? 0;
    const before = reloads();
    writeFileSync(join(this.cwd, 'loadbalancer.yaml'), this.here(text));
    t.match(
      await this.type('node_modules/.bin/lb check'),
      /loadbalancer\.yaml is fine: /,
      `${path}: ${heading}`,
    );
    for (let times = 0; times < 300 && reloads() === before; times++) await pause(100);
  }
}
