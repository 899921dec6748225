import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { Test } from 'tap';
import { Admin } from '../../lib/admin/admin.js';
import type { AdminDeps, AdminTarget } from '../../lib/admin/admin-target.js';
import type { Clock } from '../../lib/base/timer-wheel.js';
import { createConfig } from '../../lib/config/config.js';
import type { AdminSettings } from '../../lib/config/settings.js';
import type { AdminConfig } from '../../lib/config/types.js';

export const SERVICES: AdminDeps = {
  reload: async () => ({ ok: true, message: 'reloaded lb.yaml', report: '' }),
  metrics: async () => ({
    type: 'text/plain; version=0.0.4; charset=utf-8',
    body: [Buffer.from('lb_up 1\n')],
  }),
  report: (error) => {
    throw error;
  },
};

/** The part of a configuration that is the listener's. */
export function adminConfig(settings: AdminSettings = {}): AdminConfig {
  const { admin } = createConfig({ admin: { listen: '127.0.0.1:0', ...settings } });
  if (admin === null) throw new Error('there is no admin listener');
  return admin;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body, where it is JSON. */
  readonly json: unknown;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a string is sent as it is. */
  readonly body?: unknown;
}

/** Asks an admin listener, on a connection of its own. */
export type Ask = (path: string, options?: AskOptions) => Promise<Reply>;

/** Opens an admin listener on a free port and closes it after the test. */
export async function openAdmin(
  t: Test,
  subject: AdminTarget,
  options: { settings?: AdminSettings; services?: Partial<AdminDeps>; clock?: Clock } = {},
): Promise<{ admin: Admin; ask: Ask; port: number }> {
  const admin = new Admin(adminConfig(options.settings), options.clock);
  await admin.open(subject, { ...SERVICES, ...options.services });
  t.teardown(() => admin.close());
  const { address } = admin;
  const port = address.kind === 'tcp' ? address.port : 0;
  return { admin, port, ask: asker(port) };
}

export function asker(port: number): Ask {
  return (path, { method = 'GET', headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      const type = sent === undefined ? {} : { 'content-type': 'application/json' };
      const all = { connection: 'close', ...type, ...headers };
      const request = httpRequest({ port, host: '127.0.0.1', path, method, headers: all }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('error', reject);
        response.on('end', () => {
          const isJson = response.headers['content-type'] === 'application/json' && text !== '';
          const json: unknown = isJson ? JSON.parse(text) : undefined;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
        });
      });
      request.on('error', reject);
      request.end(sent);
    });
}

/** The error of a reply, as every one of them has it. */
export function errorOf({ json }: Reply): { code: string; message: string; hint: string; details?: string } {
  return (json as { error: { code: string; message: string; hint: string } }).error;
}
