import { Chalk } from 'chalk';

type Tint = (text: string) => string;

/** The colours of this program; each function returns the text unchanged when there is no colour. */
export interface Paint {
  readonly bold: Tint;
  readonly dim: Tint;
  readonly red: Tint;
  readonly green: Tint;
  readonly yellow: Tint;
  readonly cyan: Tint;
}

export interface ColourWishes {
  /** False with --no-color. */
  readonly allowed: boolean;
  readonly env: NodeJS.ProcessEnv;
  /** Whether this stream is a terminal: stdout may be piped while stderr is not. */
  readonly isTty: boolean;
}

/**
 * --no-color takes precedence, then NO_COLOR, then FORCE_COLOR, then the stream itself. chalk alone would prefer
 * FORCE_COLOR, does not know NO_COLOR, and looks at stdout only.
 */
export function wantsColour({ allowed, env, isTty }: ColourWishes): boolean {
  if (!allowed || (env.NO_COLOR ?? '') !== '') return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return isTty && env.TERM !== 'dumb';
}

/** The sixteen colours that every terminal has, so that the reader's theme decides how they look. */
export function createPaint(colour: boolean): Paint {
  const chalk = new Chalk({ level: colour ? 1 : 0 });
  return {
    bold: (text) => chalk.bold(text),
    dim: (text) => chalk.dim(text),
    red: (text) => chalk.red(text),
    green: (text) => chalk.green(text),
    yellow: (text) => chalk.yellow(text),
    cyan: (text) => chalk.cyan(text),
  };
}
