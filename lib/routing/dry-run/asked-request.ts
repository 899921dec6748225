import type { Scheme } from '../../base/transport-info.js';
import { ValueError } from '../../base/units.js';

export interface AskedHeader {
  readonly name: string;
  readonly value: string;
}

/** A request given on the command line. */
export interface AskedRequest {
  /** Null when the URL has none. */
  readonly scheme: Scheme | null;
  readonly method: string;
  /** As in a request line. */
  readonly target: string;
  /** Null when the URL is a path and there is no Host header. */
  readonly host: string | null;
  readonly headers: readonly AskedHeader[];
}

/** Reads `Name: value`. Throws a ValueError. */
export function readHeader(text: string): AskedHeader {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new ValueError(`expected 'Name: value', got ${JSON.stringify(text)}`);
  if (/[\r\n\0]/.test(value))
    throw new ValueError(`${name} has a line end in its value`, 'Give each header its -H.');
  return { name, value: value.trimEnd() };
}

/**
 * Reads a method and a URL: absolute, as curl accepts it (including `www.mango.com/v1`), or a path. A Host header wins
 * over the host of the URL, as with curl. Throws a ValueError.
 */
export function readRequest(method: string, url: string, headers: readonly AskedHeader[]): AskedRequest {
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(method))
    throw new ValueError(`expected a method such as GET, got ${JSON.stringify(method)}`);
  const others = headers.filter(({ name }) => name.toLowerCase() !== 'host');
  const asked = headers.find(({ name }) => name.toLowerCase() === 'host')?.value ?? null;
  const [, written] = /^(https?):\/\//i.exec(url) ?? [];
  const scheme = written === undefined ? null : (written.toLowerCase() as Scheme);
  if (/[\s\x00-\x1f\x7f]/.test(url) || url === '')
    throw new ValueError(
      `${JSON.stringify(url)} is not a URL`,
      'Write a space as %20, and a control byte in the same way.',
    );
  const [plain = ''] = url.split('#', 1);
  if (plain.startsWith('/') || plain === '*')
    return { scheme, method, target: plain, host: asked, headers: others };
  const [, host = '', rest = ''] = /^([^/?]*)(.*)$/.exec(plain.replace(/^https?:\/\//i, '')) ?? [];
  if (host === '' || rest.startsWith('//'))
    throw new ValueError(`expected a URL such as http://www.mango.com/v1, got ${JSON.stringify(url)}`);
  const target = rest.startsWith('/') ? rest : `/${rest}`;
  return { scheme, method, target, host: asked ?? host, headers: others };
}
