import { parseIpAddress } from '../base/ip-address.js';
import { maskedAddress } from '../base/masked-address.js';
import { isSecretName, MASK } from '../config/secrets.js';
import { shownTarget } from './escape.js';

const AUTHORIZATION = /^(?:proxy-)?authorization$/i;
const COOKIE_FIELDS = /^(?:set-)?cookie2?$/i;
/** Fields in which proxies name the address of a client: X-Forwarded-For, Forwarded, X-Real-IP, CF-Connecting-IP, … */
const ADDRESS_FIELDS =
  /forwarded|(?:client|real|connecting|user|remote|originating|viewer|socket|source)[-_]?(?:ip|addr)|external-address/i;
/**
 * What may be an address: with four numbers, or with at least two colons. Its parts have a length, or a long row of digits would
 * be looked through from each of them on.
 */
const ADDRESS = /\d{1,3}(?:\.\d{1,3}){3}|[\da-f]{0,4}:[\da-f.]{0,15}:[\da-f:.]*/gi;
/** Fields whose value is a URL. */
const URL_FIELDS = /^(?:referer|location|content-location|x-original-ur[il]|x-rewrite-url|x-forwarded-uri)$/i;
/** `user:password@` of a URL. */
const USERINFO = /^([a-z][a-z\d+.-]*:\/\/)[^/?#]*@/i;
/** Names of fields that have a credential, besides those of settings and parameters. */
const SECRET_FIELDS =
  /jwt|assertion|oidc|credential|verify|(?:access|private|subscription|functions|shared|internal|origin|edge|master|admin|service)[-_]?key/i;

/**
 * The value of a field as others may see it: credentials and the values of cookies are masked, and with `masksAddresses`
 * the addresses of clients that proxies in front have named.
 */
export function shownFieldValue(name: string, value: string, masksAddresses: boolean): string {
  if (AUTHORIZATION.test(name)) return maskAuthorization(value);
  if (COOKIE_FIELDS.test(name)) return maskCookies(name, value);
  if (isSecretName(name) || SECRET_FIELDS.test(name)) return MASK;
  if (URL_FIELDS.test(name)) return shownUrl(value);
  return masksAddresses && ADDRESS_FIELDS.test(name) ? maskAddresses(value) : value;
}

/** `Bearer ***`: the scheme is useful and not secret. */
function maskAuthorization(value: string): string {
  const scheme = /^[A-Za-z][\w-]*(?= )/.exec(value);
  return scheme ? `${scheme[0]} ${MASK}` : MASK;
}

/** Without user, password and credentials, which a fragment has too after OAuth's implicit grant (RFC 6749, 4.2.2). */
function shownUrl(value: string): string {
  const shown = shownTarget(value.replace(USERINFO, `$1${MASK}@`));
  const fragment = shown.indexOf('#');
  return fragment !== -1 && shown.includes('=', fragment) ? `${shown.slice(0, fragment)}#${MASK}` : shown;
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
