import type { Scalar } from './tree.js';

/** The result of `expand`: the text, or why there is none. */
export type Expansion =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly hint: string };

/** The variables that `${NAME}` is read from. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Replaces `${NAME}` by the variable, and `${NAME:-text}` by the text if the variable is unset or empty, as a shell
 * does. `$${` stands for a literal `${`.
 */
export function expand(text: string, env: Environment): Expansion {
  let message = '';
  let hint = '';
  const result = text.replace(
    /\$\$\{|\$\{([^}]*)(\}?)/g,
    (whole, inside: string | undefined, brace: string) => {
      if (inside === undefined) return '${';
      const reference = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inside);
      if (!reference || brace === '') {
        message = `expected \${NAME} or \${NAME:-default}, got ${JSON.stringify(whole)}`;
        hint = 'Write $${ for a plain ${.';
        return '';
      }
      const [, name = '', fallback] = reference;
      const value = env[name];
      if (fallback !== undefined) return value || fallback;
      if (value === undefined) {
        message = `the environment variable ${name} is not set`;
        hint = `Set it, or give a default: \${${name}:-text}.`;
      }
      return value ?? '';
    },
  );
  return message === '' ? { ok: true, text: result } : { ok: false, message, hint };
}

/** A text in which nothing is replaced. */
export function plain(text: string): Expansion {
  return { ok: true, text };
}

/**
 * The value of an unquoted scalar. It is a number only if the number is printed the same way: `1.10`, `012` and `1e3`
 * stay text, so that a version or a zip code in a header is sent as written.
 */
export function plainScalar(text: string): Scalar {
  if (text === '' || text === '~' || text === 'null') return null;
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d/.test(text) && String(Number(text)) === text ? Number(text) : text;
}
