import { resolve } from 'node:path';
import { readRegularFile } from '../base/regular-file.js';
import { compile } from './compile.js';
import { everyRoute } from './every-route.js';
import { loadTree } from './load.js';
import { type Finding, LineIndex, MOST_SHOWN, type Problem, renderProblems, toProblems } from './problems.js';
import type { Environment } from './scalar.js';
import type { Settings } from './settings.js';
import { locate, merge, type Node, toNode, toValue } from './tree.js';
import type { Config } from './types.js';
import { prune, validate } from './validate.js';

/** A configuration with its warnings, or all problems of the text. */
export type LoadResult =
  | {
      readonly ok: true;
      readonly config: Config;
      readonly warnings: readonly Problem[];
      /** Paths of the files that were read because the text names them. */
      readonly files: readonly string[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Options for reading a text. */
export interface LoadOptions {
  /** The variables for `${NAME}`; `process.env` by default. */
  readonly env?: Environment;
  /** The directory that names of files are relative to; the working directory by default. */
  readonly directory?: string;
  /** Reads these files; by default as regular files. Throws the system's error. */
  readonly readFile?: (path: string, maxBytes?: number) => string;
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
  const { env = process.env, directory = '.', overrides = {}, needsRoute = false } = options;
  const { readFile = readRegularFile } = options;
  const { document, faults } = loadTree(text, env);
  const places = new LineIndex(text);
  const problems = faults.map((fault) => places.problem(fault));
  if (!document) return { ok: false, problems };
  const merged = document.kind === 'map' ? merge(document, toNode(overrides)) : document;
  const result = build(merged, places, problems, { directory, readFile });
  if (!needsRoute || !result.ok || everyRoute(result.config).length > 0) return result;
  return { ok: false, problems: toProblems([NO_ROUTE], merged, places, []) };
}

/** Compiles settings made by a program to a frozen configuration. Throws a TypeError that lists every problem in them. */
export function createConfig(settings: Settings = {}): Config {
  const result = build(toNode(settings), new LineIndex(''), [], {
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
  places: LineIndex,
  faults: readonly Problem[],
  { directory, readFile }: Required<Pick<LoadOptions, 'directory' | 'readFile'>>,
): LoadResult {
  const value = toValue(document);
  const refused = validate(value);
  const files: string[] = [];
  const { config, findings, warnings } = compile(prune(value, refused) as Settings, {
    lineOf: (path) => places.of(locate(document, path, 'value')).line,
    resolveFile: (name) => resolve(directory, name),
    readFile(name, maxBytes) {
      const path = resolve(directory, name);
      files.push(path);
      return readFile(path, maxBytes);
    },
  });
  const problems = toProblems([...refused, ...findings], document, places, faults);
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, config, warnings: toProblems(warnings, document, places, []), files };
}
