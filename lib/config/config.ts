import { dirname, resolve } from 'node:path';
import { readRegularFile } from '../base/regular-file.js';
import { compile } from './compile.js';
import { everyRoute } from './every-route.js';
import { readDocument } from './include.js';
import { type Finding, MOST_SHOWN, type Problem, renderProblems, toProblem, toProblems } from './problems.js';
import type { Environment } from './scalar.js';
import type { Settings } from './settings.js';
import { SourceTexts } from './sources.js';
import { locate, merge, type Node, toNode, toValue } from './tree.js';
import type { Config } from './types.js';
import { prune, validate } from './validate.js';

/** A configuration with its warnings, or all problems of the text. */
export type LoadResult = (
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }
) & {
  /** Paths of the files that were read because the text names them, and of the folders where it asks for files. */
  readonly files: readonly string[];
  /** The texts of the files that were included, by the name that a problem has as its `file`: for `renderProblems`. */
  readonly included: ReadonlyMap<string, string>;
};

/** Options for reading a text. */
export interface LoadOptions {
  /** The variables for `${NAME}`; `process.env` by default. */
  readonly env?: Environment;
  /** The name of the settings file, for messages about files that it includes. */
  readonly file?: string;
  /** The directory that names of files are relative to; that of `file` by default, or else the working directory. */
  readonly directory?: string;
  /** Reads these files, with latin1 as bytes; by default as regular files. Throws the system's error. */
  readonly readFile?: (path: string, maxBytes?: number, encoding?: 'utf8' | 'latin1') => string;
  /**
   * Whether at least one route is required. A text without routes compiles to a balancer that answers 404 to
   * everything.
   */
  readonly needsRoute?: boolean;
  /** Settings that override the file: those of the command line. Maps are merged, everything else is replaced. */
  readonly overrides?: Settings;
}

const NO_ROUTE: Finding = {
  path: [],
  part: 'value',
  message: 'nothing to balance, redirect or answer',
  hint: 'Write servers: [localhost:5001], or hosts or paths that have some.',
};

/** Compiles a YAML text to a frozen configuration, or returns every problem in it. An empty text gives the defaults. */
export function loadConfig(text: string, options: LoadOptions = {}): LoadResult {
  const { env = process.env, file = '', directory = dirname(file), overrides = {} } = options;
  const { readFile = readRegularFile, needsRoute = false } = options;
  const { document, faults, sources, files } = readDocument(text, { env, file, directory, readFile });
  const problems = faults.map((fault) => toProblem(fault, sources));
  const included = sources.texts;
  if (!document) return { ok: false, problems, files, included };
  const merged = document.kind === 'map' ? merge(document, toNode(overrides)) : document;
  const result = build(merged, sources, problems, { directory, readFile });
  const all = { ...result, files: [...files, ...result.files], included };
  if (!needsRoute || !result.ok || everyRoute(result.config).length > 0) return all;
  return { ok: false, problems: toProblems([NO_ROUTE], merged, sources, []), files: all.files, included };
}

/** Compiles settings made by a program to a frozen configuration. Throws a TypeError that lists every problem in them. */
export function createConfig(settings: Settings = {}): Config {
  const result = build(toNode(settings), new SourceTexts(''), [], {
    directory: '.',
    readFile: readRegularFile,
  });
  if (result.ok) return result.config;
  throw new TypeError(
    `bad settings:\n${renderProblems(result.problems, { file: '', text: '', most: MOST_SHOWN })}`,
  );
}

/**
 * Compiles a parsed document. What one stage refuses is removed before the next, so that one run reports all problems.
 * `faults` are those found while reading the YAML.
 */
function build(
  document: Node,
  places: SourceTexts,
  faults: readonly Problem[],
  { directory, readFile }: Required<Pick<LoadOptions, 'directory' | 'readFile'>>,
): LoadResult {
  const value = toValue(document);
  const refused = validate(value);
  const files: string[] = [];
  const { config, findings, warnings } = compile(prune(value, refused) as Settings, {
    included: places.included,
    lineOf: (path) => places.lineOf(locate(document, path, 'value')),
    resolveFile: (name) => resolve(directory, name),
    readFile(name, maxBytes, encoding) {
      const path = resolve(directory, name);
      files.push(path);
      return readFile(path, maxBytes, encoding);
    },
  });
  const included = places.texts;
  const problems = toProblems([...refused, ...findings], document, places, faults);
  if (problems.length > 0) return { ok: false, problems, files, included };
  return { ok: true, config, warnings: toProblems(warnings, document, places, []), files, included };
}
