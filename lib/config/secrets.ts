/** Shown instead of a secret. */
export const MASK = '***';

/** Names of settings, fields, cookies and parameters whose values are credentials, or look like it. */
const SECRET_NAMES = /auth|cookie|token|secret|passw|passphrase|api[-_]?key|hmac|signature|session/i;

// Each of these takes a time in proportion to the length of a text: a settings file may be one line of a megabyte.
/**
 * `://user:password@` of a URL: up to the last `@` before the path, as a password may have some too. The scheme is not looked
 * for: a search for it would begin anew at each letter of a long word.
 */
const USERINFO = /:\/\/[^\s/?#"']*@/g;
/** `name=value` of a query. */
const PARAMETER = /([?&])([^=&\s"'?#]+)=[^&\s"'#]*/g;
/**
 * `name: value` of a line of YAML, in block or flow style, the name and the value quoted or not; after a quoted name, as in JSON,
 * the colon needs no blank. A name is taken from its first letter on. Of a list there is only its beginning.
 */
const PAIR =
  /(["']?)(?<![\w.-])([\w.-]+)\1(\s*:\s+|(?<=["'])\s*:|=)("[^"\\]*(?:\\.[^"\\]*)*"?|'[^']*(?:''[^']*)*'?|\[|[^\s,{}[\]"'][^,{}[\]]*)/g;

/** Does a setting, field, cookie or parameter of this name hold a secret? */
export function isSecretName(name: string): boolean {
  return SECRET_NAMES.test(name);
}

/** `sticky.cookie` and `match.cookie` hold names of cookies, unlike the field Cookie; `client_auth` has names of files. */
const PUBLIC_SETTINGS: readonly string[] = ['cookie', 'cookies', 'client_auth'];

function isSecretSetting(name: string): boolean {
  return isSecretName(name) && !PUBLIC_SETTINGS.includes(name);
}

/** Is the value of the setting at `path`, in the form of `formatPath`, a secret? */
export function isSecretPath(path: string): boolean {
  if (/(^|\.)cookie_rules(\.|$)|\.cookie\./.test(path)) return true;
  const [, name = ''] = /([^.[\]"]+)"?\]?(?:\[\d+\])*$/.exec(path) ?? [];
  return isSecretSetting(name);
}

/** The text with user names and passwords removed from its URLs. */
export function maskUserinfo(text: string): string {
  return text.replace(USERINFO, `://${MASK}@`);
}

/** The text with user names, passwords and credentials removed from its URLs. */
export function maskUrls(text: string): string {
  if (!/[@=]/.test(text)) return text;
  return maskUserinfo(text).replace(PARAMETER, (pair: string, before: string, name: string) =>
    isSecretName(name) ? `${before}${name}=${MASK}` : pair,
  );
}

/** A line of a settings file with its secrets masked; every other character stays in its column. */
export function blotLine(line: string): string {
  return blotPairs(line)
    .replace(USERINFO, (all: string) => `://${blot(all.slice(3))}`)
    .replace(PARAMETER, (pair: string, before: string, name: string) =>
      isSecretName(name) ? `${before}${name}=${blot(pair.slice(before.length + name.length + 1))}` : pair,
    );
}

function blot(text: string): string {
  return '*'.repeat(text.trimEnd().length).padEnd(text.length);
}

function blotPairs(text: string): string {
  const pair = new RegExp(PAIR);
  let blotted = '';
  let position = 0;
  for (let found = pair.exec(text); found !== null; found = pair.exec(text)) {
    const [all, , name = '', , value = ''] = found;
    const isReference = /^\$\{[A-Z_a-z]\w*\}$/.test(value.trim().replace(/^["']|["']$/g, ''));
    // A list may hold maps with secrets in them: the next pair may be in it.
    if (!isSecretSetting(name) || isReference) continue;
    const start = found.index + all.length - value.length;
    let end = start + value.length;
    if (value === '[') end = endOfList(text, end);
    blotted += text.slice(position, start) + blot(text.slice(start, end));
    position = end;
    pair.lastIndex = end;
  }
  return blotted + text.slice(position);
}

/** What decides where a list ends: brackets, and quoted texts, which may have brackets in them. */
const LIST_PART = /"[^"\\]*(?:\\.[^"\\]*)*"?|'[^']*(?:''[^']*)*'?|[[\]]/g;

/** Where the list ends that has begun before `start`: after its bracket, or at the end of the text if it has none. */
function endOfList(text: string, start: number): number {
  const part = new RegExp(LIST_PART);
  part.lastIndex = start;
  let depth = 1;
  for (let found = part.exec(text); found !== null; found = part.exec(text)) {
    if (found[0] === '[') depth++;
    else if (found[0] === ']' && --depth === 0) return part.lastIndex;
  }
  return text.length;
}
