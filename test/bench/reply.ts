import { get } from 'node:http';
import { get as getSecure } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import type { Child } from './child.js';

const START_MS = 30_000;

export interface Reply {
  readonly status: number;
  readonly body: string;
}

/** One GET on a connection of its own, over TLS if it is `secure`. */
export function reply(port: number, path: string, secure = false): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, timeout: 2000, rejectUnauthorized: false };
    const request = (secure ? getSecure : get)({ ...options, agent: false }, (response) => {
      let body = '';
      response.setEncoding('latin1').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer within 2 s')));
    request.on('error', reject);
  });
}

/** Waits until the server answers 200 on `/`. Throws its own complaint if it ends or does not. */
export async function untilReady(child: Child, port: number, secure = false): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (child.running && Date.now() < deadline) {
    const status = await reply(port, '/', secure).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return;
    await delay(50);
  }
  throw new Error(`${child.name} did not start: ${child.complaint}`);
}
