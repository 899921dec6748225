// Asks the API repeatedly, and notices when it does not answer.

const PATIENCE_MS = 4000;
const TOKEN = 'lb admin token';

/** A response that is not 2xx; the message is that of the API. */
export class Refused extends Error {
  constructor(status, { code = '', message = `status ${status}`, hint = '', details = '' } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.details = details;
  }
}

/** Whether a token is known: a plain link can't send one. */
export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;

function headers(more) {
  const token = sessionStorage.getItem(TOKEN);
  return token === null ? more : { ...more, authorization: `Bearer ${token}` };
}

/** Asks for JSON. Throws Refused, or the error of fetch when there is no response in time. */
export async function ask(path, { method = 'GET', body } = {}) {
  const sent = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(path, {
    method,
    headers: headers(sent),
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: 'no-store',
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const isJson = response.headers.get('content-type') === 'application/json';
  const value = isJson ? await response.json() : null;
  if (!response.ok) throw new Refused(response.status, value?.error);
  return value;
}

/**
 * Keeps a token, for this tab only, if it `suits`: a function of what it allows, `change` or `read`. Otherwise the
 * previous one stays, and Refused is thrown. @param {(access: string) => boolean} suits
 */
export async function tryToken(token, suits) {
  const before = sessionStorage.getItem(TOKEN);
  sessionStorage.setItem(TOKEN, token);
  try {
    const { access } = await ask('/api/status');
    if (!suits(access)) throw new Refused(403, { message: 'this token allows reading only' });
    return access;
  } catch (error) {
    if (before === null) sessionStorage.removeItem(TOKEN);
    else sessionStorage.setItem(TOKEN, before);
    throw error;
  }
}

/**
 * Follows the stream of events for as long as the page is open. EventSource could not show a token.
 * @param {(event: any) => void} tell
 */
export async function follow(tell, pause) {
  let last = '0';
  for (;;) {
    try {
      const response = await fetch('/api/events', {
        headers: headers({ 'last-event-id': last }),
        cache: 'no-store',
      });
      if (response.ok) last = await readEvents(response, last, tell);
    } catch {
      // The connection failed: the page reports that when it asks for the status, and this just tries again.
    }
    await pause(2000);
  }
}

async function readEvents(response, known, tell) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let last = known;
  let text = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return last;
      text += value;
      const frames = text.split('\n\n');
      text = frames.pop() ?? '';
      for (const frame of frames) {
        const data = /^data: (.*)$/m.exec(frame)?.[1];
        if (data === undefined) continue;
        last = /^id: (.*)$/m.exec(frame)?.[1] ?? last;
        tell(JSON.parse(data));
      }
    }
  } catch {
    return last;
  }
}
