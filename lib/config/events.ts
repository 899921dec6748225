import { ValueError } from '../base/units.js';
import type { Context } from './context.js';
import { type FileReader, readCertificates } from './pem-files.js';
import { duration } from './quantities.js';
import { defaultsOf } from './schema.js';
import type { EventsSettings } from './settings.js';
import type { EventsConfig } from './types.js';

const { timeout: TIMEOUT } = defaultsOf<Pick<EventsConfig, 'timeout'>>('events');

/** Compiles `events:`; null without it. */
export function compileEvents(
  setting: EventsSettings | undefined,
  context: Pick<Context, 'report' | keyof FileReader>,
): EventsConfig | null {
  const { report, resolveFile } = context;
  // The schema has refused the value and it was removed.
  if (setting?.webhook === undefined) return null;
  const { webhook, secret = '', timeout, ca } = setting;
  const url = report.attempt(['events', 'webhook'], () => readUrl(webhook));
  return {
    webhook: url ?? '',
    secret,
    ca: ca === undefined ? null : resolveFile(ca),
    pem:
      ca === undefined
        ? null
        : (report.attempt(['events', 'ca'], () => readCertificates(ca, context)) ?? null),
    timeout: duration(timeout, TIMEOUT, ['events', 'timeout'], report, 1),
  };
}

function readUrl(text: string): string {
  if (!URL.canParse(text)) throw new ValueError(`expected a URL, got ${JSON.stringify(text)}`);
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw new ValueError('a URL cannot have a password here', 'Put the secret into its path or query.');
  return url.href;
}
