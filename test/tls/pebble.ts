import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { TestAuthority, writeCertificate } from '../support/certificates.js';
import { freePort } from '../support/free-port.js';

const MISSING = 'no pebble with pebble-challtestsrv (Debian: pebble)';

/** Why a test that needs pebble cannot run; false when it can, or when it has to (LB_REQUIRE_TLS_TOOLS). */
export const skipWithoutPebble: string | false =
  (process.env.LB_REQUIRE_TLS_TOOLS ?? '') === '' && spawnSync('pebble', ['-h']).error !== undefined
    ? MISSING
    : false;

/** A folder of the test, which goes with it. */
export function scratch(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'lb-acme-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface PebbleOptions {
  /** Where it asks for the answers to http-01 and tls-alpn-01. */
  readonly httpPort?: number;
  readonly tlsPort?: number;
  readonly env?: { readonly [name: string]: string };
  /** Keys of accounts that exist outside of ACME, by their names. */
  readonly externalAccounts?: { readonly [kid: string]: string };
  /** In seconds; 5 years by default. */
  readonly lifetime?: number;
}

/** Pebble, the authority for tests of Let's Encrypt, and its DNS server, which has 127.0.0.1 for every name. */
export class Pebble {
  readonly directory: string;
  /** The file of the authority that signed its own certificate. */
  readonly ca: string;
  /** What it has written so far. */
  log = '';
  readonly #start: () => Promise<ChildProcess>;
  #child: ChildProcess | null = null;

  private constructor(directory: string, ca: string, start: () => Promise<ChildProcess>) {
    this.directory = directory;
    this.ca = ca;
    this.#start = start;
  }

  static async start(t: Test, options: PebbleOptions = {}): Promise<Pebble> {
    const { httpPort = 1, tlsPort = 1, externalAccounts, lifetime, env = {} } = options;
    const folder = scratch(t);
    const authority = await TestAuthority.create('Directory CA');
    const { cert, key } = writeCertificate(
      folder,
      'directory',
      await authority.issue({ names: ['127.0.0.1'] }),
    );
    const ca = join(folder, 'ca.pem');
    writeFileSync(ca, authority.cert);
    const [port, management, dns] = [await freePort(), await freePort(), await freePort()];
    const config = {
      listenAddress: `127.0.0.1:${port}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: cert,
      privateKey: key,
      httpPort,
      tlsPort,
      externalAccountBindingRequired: externalAccounts !== undefined,
      externalAccountMACKeys: externalAccounts ?? {},
      ...(lifetime === undefined ? {} : { certificateValidityPeriod: lifetime }),
    };
    const file = join(folder, 'pebble.json');
    writeFileSync(file, JSON.stringify({ pebble: config }));
    await startNames(t, dns);
    const run = async (): Promise<ChildProcess> => {
      const child = spawn('pebble', ['-config', file, '-dnsserver', `127.0.0.1:${dns}`], {
        env: {
          PATH: process.env.PATH,
          PEBBLE_VA_NOSLEEP: '1',
          PEBBLE_AUTHZREUSE: '0',
          PEBBLE_WFE_NONCEREJECT: '0',
          ...env,
        },
      });
      const note = (chunk: Buffer): void => {
        pebble.log += chunk.toString();
      };
      child.stdout.on('data', note);
      child.stderr.on('data', note);
      await answers(`127.0.0.1:${port}`, child, () => pebble.log);
      return child;
    };
    const pebble = new Pebble(`https://127.0.0.1:${port}/dir`, ca, run);
    t.teardown(() => pebble.stop());
    await pebble.start();
    return pebble;
  }

  async start(): Promise<void> {
    this.#child = await this.#start();
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** How many requests for this path it has got. */
  count(path: string): number {
    return this.log.split(`${path} `).length - 1;
  }
}

async function startNames(t: Test, port: number): Promise<void> {
  const child = spawn('pebble-challtestsrv', [
    ...['-dns01', `127.0.0.1:${port}`, '-management', `127.0.0.1:${await freePort()}`],
    ...['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', ''],
  ]);
  child.stdout.resume();
  child.stderr.resume();
  t.teardown(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  await once(child, 'spawn');
}

/** Resolves when something listens there. */
async function answers(address: string, child: ChildProcess, log: () => string): Promise<void> {
  const [host = '', port] = address.split(':');
  const { connect } = await import('node:net');
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) break;
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), host);
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`pebble does not listen on ${address}: ${log()}`);
}
