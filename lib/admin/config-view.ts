import type { Address } from '../base/address.js';
import type { AddressFile } from '../config/address-file.js';
import { snakeKey } from '../config/key-names.js';
import type { Network } from '../config/network.js';
import { isRegexConfig, regexText } from '../config/regex.js';
import { isSecretName, MASK, maskUrls } from '../config/secrets.js';
import type { TemplatePart } from '../config/template.js';
import type { CollectorConfig } from '../config/types.js';

const SECRET_KEYS = new Set(['token', 'readToken', 'secret', 'password', 'passphrase', 'hmacKey']);

/**
 * A part of the current configuration as plain data with all defaults: times in ms, sizes in bytes, addresses, networks
 * and patterns as written. Possible credentials are masked. `key` is the key of the part at the top of the
 * configuration; for a list, `value` is an item.
 */
export function configView(value: unknown, key: string): unknown {
  return partView(key, value, false);
}

/** `ofCookies`: a rule or a condition of cookies, whose values are credentials whatever their names. */
function view(value: unknown, ofCookies: boolean): unknown {
  if (typeof value === 'string') return maskUrls(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return listView(value, ofCookies);
  if (isAddress(value) || isNetwork(value)) return value.text;
  if (isRegexConfig(value)) return regexText(value);
  if (isAddressFile(value)) return { file: value.file, entries: value.entries };
  if (isBodyFromFile(value)) return bodyView(value);
  const named = (value as { readonly name?: unknown }).name;
  const secretValue = ofCookies || (typeof named === 'string' && isSecretName(named));
  const entries: [key: string, value: unknown][] = [];
  for (const [key, item] of Object.entries(value)) {
    // What files hold, keys among it, and what stands for that.
    if (key === 'pem' || key === 'digest') continue;
    entries.push([snakeKey(key), partView(key, item, secretValue)]);
  }
  return Object.fromEntries(entries);
}

/** A fixed response, or an error page. */
interface Body {
  /** Bytes as latin1. */
  readonly body: string;
  readonly file: string | null;
}

/** The file where there is one, and not what it holds. */
function bodyView({ body, file, ...others }: Body): unknown {
  const written = file === null ? { body: Buffer.from(body, 'latin1').toString() } : { file };
  const entries = Object.entries({ ...others, ...written });
  return Object.fromEntries(entries.map(([key, item]) => [snakeKey(key), view(item, false)]));
}

function isBodyFromFile(value: object): value is Body {
  return 'body' in value && 'file' in value;
}

function partView(key: string, value: unknown, secretValue: boolean): unknown {
  // As it is written: that of the file of a Unix socket.
  if (key === 'mode' && typeof value === 'number') return value.toString(8).padStart(4, '0');
  if (key === 'collector') return collectorView(value as CollectorConfig);
  const secret = SECRET_KEYS.has(key) || (secretValue && isValue(key));
  return secret && value !== null && value !== '' ? MASK : view(maskUrl(key, value), key === 'cookies');
}

/** Each vendor has a name of its own for the field that holds the key. */
function collectorView({ headers, ...others }: CollectorConfig): unknown {
  return view({ ...others, headers: headers.map(({ name }) => ({ name, value: MASK })) }, false);
}

function listView(list: readonly unknown[], ofCookies: boolean): unknown {
  return isTemplate(list) ? maskUrls(list.map(holeText).join('')) : list.map((item) => view(item, ofCookies));
}

/** The path of a webhook is often its only secret. */
function maskUrl(key: string, value: unknown): unknown {
  return key === 'webhook' && typeof value === 'string' ? `${new URL(value).origin}/${MASK}` : value;
}

/** The text that a rule sets in a field or looks for; `host`, `path` and the like are not secret. */
function isValue(key: string): boolean {
  return key === 'value' || key === 'edit' || key === 'pattern';
}

function isAddress(value: object): value is Address {
  return (
    'text' in value && (('port' in value && 'host' in value) || ('kind' in value && value.kind === 'unix'))
  );
}

function isAddressFile(value: object): value is AddressFile {
  return 'file' in value && 'ranges' in value;
}

function isNetwork(value: object): value is Network {
  return 'text' in value && 'first' in value && 'last' in value;
}

const PART_KINDS: readonly TemplatePart['kind'][] = [
  'text',
  'variable',
  'header',
  'cookie',
  'param',
  'capture',
  'group',
];

function isTemplate(list: readonly unknown[]): list is readonly TemplatePart[] {
  return (
    list.length > 0 &&
    list.every((part) => {
      if (typeof part !== 'object' || part === null || !('kind' in part) || 'value' in part) return false;
      return PART_KINDS.some((kind) => kind === part.kind);
    })
  );
}

function holeText(part: TemplatePart): string {
  switch (part.kind) {
    case 'text':
      return part.text;
    case 'variable':
      return `{${part.name}}`;
    case 'capture':
      return `{$${part.group}}`;
    case 'group':
      return `$${part.group}`;
    case 'header':
    case 'cookie':
    case 'param':
      return `{${part.kind}.${part.name}}`;
  }
}

/** Plain data with keys as in the settings and in logs: `uptimeMs` becomes `uptime_ms`. */
export function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [snakeKey(key), snakeCase(item)]));
}
