import type { Context } from './context.js';
import { checkToken } from './fields.js';
import { duration } from './quantities.js';
import { defaultsOf } from './schema.js';
import type { StickySettings } from './settings.js';
import type { Path } from './tree.js';
import type { StickyConfig } from './types.js';

const BINDINGS = ['cookie', 'header', 'param', 'client_ip'] as const;
const COOKIE_ONLY = ['secret', 'max_age', 'domain', 'path', 'same_site', 'partitioned', 'nocache'] as const;
const SAME_SITE = { lax: 'Lax', strict: 'Strict', none: 'None' } as const;

const DEFAULTS = defaultsOf<StickyDefaults>('sticky');

interface StickyDefaults {
  readonly maxAge: number;
  readonly path: string;
  readonly sameSite: keyof typeof SAME_SITE;
  readonly partitioned: boolean;
  readonly nocache: boolean;
  readonly expire: number;
}

/** Compiles what binds clients to servers; false is null, and a scope without this setting inherits it. */
export function compileSticky(
  setting: StickySettings | false | undefined,
  path: Path,
  context: Context,
  around: StickyConfig | null,
): StickyConfig | null {
  if (setting === undefined) return around;
  if (setting === false) return null;
  const { report } = context;
  const [kind, other] = BINDINGS.filter((binding) => Object.hasOwn(setting, binding));
  if (kind === undefined) {
    // A key that was refused may have been meant as the binding.
    if (!Object.values(setting).includes(undefined))
      report.problem(
        path,
        'sticky needs a cookie, header, param or client_ip',
        'Write cookie: lb, header: NAME, param: NAME or client_ip: true.',
      );
    return null;
  }
  if (other !== undefined)
    report.problem([...path, other], `${kind} and ${other} cannot both be set`, '', 'key');
  if (kind === 'cookie') return compileCookie(setting.cookie ?? '', setting, path, context);
  for (const key of COOKIE_ONLY) {
    if (setting[key] !== undefined) report.problem([...path, key], 'only for sticky.cookie', '', 'key');
  }
  const expire = duration(setting.expire, DEFAULTS.expire, [...path, 'expire'], report);
  if (kind === 'client_ip') return { kind, name: '', expire };
  const name = setting[kind] ?? '';
  if (kind === 'param') return { kind, name, expire };
  report.attempt([...path, kind], () => checkToken(name, 'the name of a header'));
  return { kind, name: name.toLowerCase(), expire };
}

function compileCookie(name: string, setting: StickySettings, path: Path, { report }: Context): StickyConfig {
  const { secret, max_age: maxAge, expire, same_site: sameSite = DEFAULTS.sameSite } = setting;
  if (expire !== undefined)
    report.problem(
      [...path, 'expire'],
      'only for sticky.header, sticky.param and sticky.client_ip',
      '',
      'key',
    );
  report.attempt([...path, 'cookie'], () => checkToken(name, 'the name of a cookie'));
  if (secret === undefined) {
    report.warning(
      path,
      'without a secret each start makes a random one, so that clients may change servers after a restart',
      'Set secret.',
    );
  }
  return {
    kind: 'cookie',
    name,
    secret: secret ?? null,
    maxAge: Math.ceil(duration(maxAge, DEFAULTS.maxAge, [...path, 'max_age'], report) / 1000),
    domain: setting.domain ?? '',
    path: setting.path ?? DEFAULTS.path,
    sameSite: SAME_SITE[sameSite],
    partitioned: setting.partitioned ?? DEFAULTS.partitioned,
    nocache: setting.nocache ?? DEFAULTS.nocache,
  };
}
