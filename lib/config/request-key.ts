import { checkToken } from './fields.js';
import type { RequestKeyConfig } from './types.js';

/** Reads `client_ip`, `uri`, `path`, `header.NAME`, `cookie.NAME` or `param.NAME`. Throws a ValueError for a bad name. */
export function parseRequestKey(text: string): RequestKeyConfig {
  const [, kind, name = ''] = /^(header|cookie|param)\.(.*)$/s.exec(text) ?? [];
  switch (kind) {
    case 'header':
      return { kind, name: checkToken(name, 'the name of a header').toLowerCase() };
    case 'cookie':
      return { kind, name: checkToken(name, 'the name of a cookie') };
    case 'param':
      return { kind, name };
    default:
      return { kind: text === 'uri' || text === 'path' ? text : 'client_ip', name: '' };
  }
}
