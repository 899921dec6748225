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
    const { access } = await ask('/api/view?search=-');
    if (!suits(access)) throw new Refused(403, { message: 'this token allows reading only' });
    return access;
  } catch (error) {
    if (before === null) sessionStorage.removeItem(TOKEN);
    else sessionStorage.setItem(TOKEN, before);
    throw error;
  }
}
