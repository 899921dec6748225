import type { SentError } from './messages.js';

/** Makes a message of an error, with the fields that tell what to do about it (`code`, `port`, …). */
export function sendError(error: unknown): SentError {
  if (!(error instanceof Error)) return { message: String(error), stack: '', fields: {} };
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(error))
    if (['string', 'number', 'boolean'].includes(typeof value)) fields[name] = value;
  return { message: error.message, stack: error.stack ?? '', fields };
}

export function receiveError({ message, stack, fields }: SentError): Error {
  return Object.assign(new Error(message), fields, { stack });
}
