import { parseIpAddress } from '../base/ip-address.js';
import { maskedAddress } from '../base/masked-address.js';
import { isSecretName, MASK } from '../config/secrets.js';
import { shownTarget } from './escape.js';

const AUTHORIZATION = /^(?:proxy-)?authorization$/i;
const COOKIES = /^(?:set-)?cookie2?$/i;
/** Fields with which proxies tell the address of a client: X-Forwarded-For, Forwarded, X-Real-IP, CF-Connecting-IP, … */
const ADDRESSES = /forwarded|(?:client|real|connecting|user|remote)[-_]?ip|remote[-_]?addr|external-address/i;
/** What may be an address: with four numbers, or with at least two colons. */
const ADDRESS = /\d+(?:\.\d+){3}|[\da-f]*:[\da-f.]*:[\da-f:.]*/gi;
/** Fields whose value is a URL. */
const URLS = /^(?:referer|location|content-location|x-original-ur[il]|x-rewrite-url)$/i;

/**
 * The value of a field as others may see it: credentials and the values of cookies are masked, and with `masksAddresses`
 * the addresses of clients that proxies in front have told.
 */
export function shownFieldValue(name: string, value: string, masksAddresses: boolean): string {
  if (AUTHORIZATION.test(name)) return maskAuthorization(value);
  if (COOKIES.test(name)) return maskCookies(name, value);
  if (isSecretName(name)) return MASK;
  if (URLS.test(name)) return shownTarget(value);
  return masksAddresses && ADDRESSES.test(name) ? maskAddresses(value) : value;
}

/** `Bearer ***`: the scheme is useful and not secret. */
function maskAuthorization(value: string): string {
  const scheme = /^[A-Za-z][\w-]*(?= )/.exec(value);
  return scheme ? `${scheme[0]} ${MASK}` : MASK;
}

/** `sid=***; theme=***`, or `sid=***; Path=/; HttpOnly` for the cookie of a Set-Cookie. */
function maskCookies(name: string, value: string): string {
  const pairs = value.split(';');
  const isSet = /^set-/i.test(name);
  return pairs
    .map((pair, index) => (isSet && index > 0 ? pair : pair.replace(/=.*$|^[^=]+$/s, hide)))
    .join(';');
}

function hide(found: string): string {
  return found.startsWith('=') ? `=${MASK}` : MASK;
}

function maskAddresses(value: string): string {
  return value.replace(ADDRESS, (text) => {
    const address = parseIpAddress(text);
    return address === null ? text : maskedAddress(address);
  });
}
