import { hashText } from '../base/hash.js';
import { BudgetExhausted, WorkBudget } from '../base/work-budget.js';
import { type Context, networks, oneOrMore } from './context.js';
import { compileFields } from './fields.js';
import { compileMethods } from './firewall.js';
import { parseHostName } from './host-name.js';
import { coversNetwork } from './network.js';
import { coversPath, parsePath, parseValue, pathText, type ValuePattern } from './pattern.js';
import { compileRegex, type RegexConfig, regexText } from './regex.js';
import { each } from './report.js';
import type { MatchSettings } from './settings.js';
import type { Path } from './tree.js';
import type { ClientCertFact, ClientCertMatch, FieldMatch, HostName, MatchConfig } from './types.js';

const CERTIFICATE_FACTS: readonly ClientCertFact[] = ['subject', 'issuer', 'serial', 'fingerprint', 'name'];

/** Compiles the conditions of a route. */
export function compileMatch(settings: MatchSettings, path: Path, context: Context): MatchConfig {
  const {
    path: text,
    method,
    header,
    param,
    cookie,
    language,
    client_ip,
    peer_ip,
    scheme,
    sni,
    client_cert,
    not,
    any,
  } = settings;
  const { report } = context;
  return {
    path: text === undefined ? null : (report.attempt([...path, 'path'], () => parsePath(text)) ?? null),
    methods: compileMethods(method, [...path, 'method'], context),
    headers: compileFields(header, [...path, 'header'], context, 'header'),
    params: compileFields(param, [...path, 'param'], context, 'param'),
    cookies: compileFields(cookie, [...path, 'cookie'], context, 'cookie'),
    languages: compileLanguages(language, [...path, 'language'], context),
    clientIps: networks(client_ip, [...path, 'client_ip'], report),
    peerIps: networks(peer_ip, [...path, 'peer_ip'], report),
    schemes: [...oneOrMore(scheme, [...path, 'scheme'])].map(([item]) => item),
    snis: compileSnis(sni, [...path, 'sni'], context),
    clientCert: compileClientCert(client_cert, [...path, 'client_cert'], context),
    not: not === undefined ? null : compileMatch(not, [...path, 'not'], context),
    any: [...each(any, [...path, 'any'])].map(([inner, at]) => compileMatch(inner, at, context)),
  };
}

/**
 * A text that identifies the conditions of a route among its siblings, whatever their order: `/img when method PUT`.
 * Values may be secret and the text is logged, so 8 bits of a hash stand for each value: too few to confirm a guess.
 */
export function matchIdentity(settings: MatchSettings, match: MatchConfig): string {
  const { path, method, language, ...others } = settings;
  const hash = hashText(JSON.stringify(others)) & 0xff;
  const hidden = Object.keys(others).length === 0 ? '' : ` #${hash.toString(16).padStart(2, '0')}`;
  return `${describeMatch(match)}${hidden}`.trim();
}

/** True when a request that meets `b` surely meets `a`: a route with `b` after one with `a` is never reached. */
export function covers(a: MatchConfig, b: MatchConfig): boolean {
  return (
    coversPath(a.path, b.path) &&
    coversList(a.methods, b.methods, (method, other) => method === other) &&
    coversList(
      a.languages,
      b.languages,
      (language, other) => language.toLowerCase() === other.toLowerCase(),
    ) &&
    coversList(a.clientIps, b.clientIps, coversNetwork) &&
    coversList(a.peerIps, b.peerIps, coversNetwork) &&
    coversList(a.schemes, b.schemes, (scheme, other) => scheme === other) &&
    coversList(a.snis, b.snis, coversName) &&
    coversCertificate(a.clientCert, b.clientCert) &&
    // True when everything that `a` excludes is excluded by `b` too.
    (a.not === null || (b.not !== null && covers(b.not, a.not))) &&
    coversAny(a.any, b) &&
    a.headers.every((field) => b.headers.some((other) => coversField(field, other))) &&
    a.params.every((field) => b.params.some((other) => coversField(field, other))) &&
    a.cookies.every((field) => b.cookies.some((other) => coversField(field, other)))
  );
}

/** Does a request that meets `b` surely meet one of these? */
function coversAny(any: readonly MatchConfig[], b: MatchConfig): boolean {
  const isCovered = (match: MatchConfig): boolean => any.some((one) => covers(one, match));
  return any.length === 0 || isCovered(b) || (b.any.length > 0 && b.any.every(isCovered));
}

/** For lists of which any item may match; an empty list has no condition. */
function coversList<T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): boolean {
  if (a.length === 0) return true;
  return b.length > 0 && b.every((item) => a.some((other) => same(other, item)));
}

/** A field, parameter, cookie or fact of a certificate, with what its value must be. */
type Fact = Pick<FieldMatch, 'name' | 'value'>;

function coversName(a: HostName, b: HostName): boolean {
  if (a.kind === 'exact') return b.kind === 'exact' && a.name === b.name;
  return (b.kind === 'exact' ? b.name : b.suffix).endsWith(a.suffix);
}

function coversCertificate(a: ClientCertMatch | null, b: ClientCertMatch | null): boolean {
  if (a === null) return true;
  if (b === null || a.valid !== b.valid) return false;
  return a.facts.every((fact) => b.facts.some((other) => coversField(fact, other)));
}

function coversField(a: Fact, b: Fact): boolean {
  if (a.name !== b.name) return false;
  if (a.value.kind === 'present') return true;
  if (a.value.kind === 'exact') return b.value.kind === 'exact' && a.value.text === b.value.text;
  if (b.value.kind === 'exact') return surelyMatches(a.value.regex, b.value.text);
  return b.value.kind === 'regex' && regexText(a.value.regex) === regexText(b.value.regex);
}

/** A text that would take too long to match does not surely match. */
function surelyMatches(regex: RegexConfig, text: string): boolean {
  try {
    return compileRegex(regex).test(text, new WorkBudget());
  } catch (error) {
    if (!(error instanceof BudgetExhausted)) throw error;
    return false;
  }
}

function compileSnis(setting: MatchSettings['sni'], path: Path, { report }: Context): HostName[] {
  const snis: HostName[] = [];
  for (const [text, at] of oneOrMore(setting, path)) {
    const name = report.attempt(at, () => parseHostName(text));
    if (name !== undefined) snis.push(name);
  }
  return snis;
}

function compileClientCert(
  setting: MatchSettings['client_cert'],
  path: Path,
  { report }: Context,
): ClientCertMatch | null {
  if (setting === undefined) return null;
  if (typeof setting === 'boolean') return { valid: setting, facts: [] };
  const facts: { name: ClientCertFact; value: ValuePattern }[] = [];
  for (const name of CERTIFICATE_FACTS) {
    const text = setting[name];
    if (text === undefined) continue;
    const value = report.attempt([...path, name], () => parseValue(String(text)));
    if (value !== undefined) facts.push({ name, value });
  }
  return { valid: true, facts };
}

/** The languages of a condition, or of what a scope serves. */
export function compileLanguages(
  setting: MatchSettings['language'],
  path: Path,
  { report }: Context,
): string[] {
  const languages: string[] = [];
  for (const [language, at] of oneOrMore(setting, path)) {
    if (!/^[a-z]{2,8}(-[a-z0-9]{1,8})*$/i.test(language)) {
      report.problem(at, `expected a language such as fr or pt-BR, got ${JSON.stringify(language)}`);
    }
    languages.push(language);
  }
  return languages;
}

/** Conditions for people, without the values that are compared: `/img when header user-agent`. */
export function describeMatch({
  path,
  methods,
  headers,
  params,
  cookies,
  languages,
  clientIps,
  snis,
  clientCert,
}: MatchConfig): string {
  const conditions = [
    methods.length > 0 ? `method ${methods.join(' or ')}` : '',
    ...headers.map(({ name }) => `header ${name}`),
    ...params.map(({ name }) => `param ${name}`),
    ...cookies.map(({ name }) => `cookie ${name}`),
    languages.length > 0 ? `language ${languages.join(' or ')}` : '',
    clientIps.length > 0 ? 'client_ip' : '',
    snis.length > 0 ? 'sni' : '',
    clientCert === null ? '' : 'client_cert',
  ].filter((text) => text !== '');
  const when = conditions.length === 0 ? '' : `when ${conditions.join(', ')}`;
  return `${path === null ? '' : pathText(path)} ${when}`.trim();
}
