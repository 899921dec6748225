import { dirname, resolve } from 'node:path';
import { readRegularFile } from '../base/regular-file.js';
import { compile } from './compile.js';
import { addRoutes, routesAt } from './container-routes.js';
import { everyRoute } from './every-route.js';
import { readDocument } from './include.js';
import { type Finding, MOST_SHOWN, type Problem, renderProblems, toProblem, toProblems } from './problems.js';
import type { Environment } from './scalar.js';
import type { Settings } from './settings.js';
import { SourceTexts } from './sources.js';
import { locate, type MapNode, merge, type Node, toNode, toValue } from './tree.js';
import type { Config, ContainerRoute, RefusedRoute } from './types.js';
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
  /** The routes of `LoadOptions.routes` that were left out. */
  readonly refusedRoutes: readonly RefusedRoute[];
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
  /** The names of what is in a folder and is no folder; by default of a folder of the system. Throws the system's error. */
  readonly readFolder?: (path: string) => string[];
  /** Routes that are added to those of the file, which takes precedence. One that makes no sense there is left out. */
  readonly routes?: readonly ContainerRoute[];
  /**
   * Whether at least one route is required, unless labels of containers make routes. A text without routes compiles to a balancer that answers 404 to
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

/** Compiles a YAML text to a frozen configuration, or returns every problem in it. An empty text means the defaults. */
export function loadConfig(text: string, options: LoadOptions = {}): LoadResult {
  const { env = process.env, file = '', directory = dirname(file), overrides = {} } = options;
  const { readFile = readRegularFile, readFolder, needsRoute = false, routes = [] } = options;
  const source = { env, file, directory, readFile, ...(readFolder === undefined ? {} : { readFolder }) };
  const { document, faults, sources, files } = readDocument(text, source);
  const problems = faults.map((fault) => toProblem(fault, sources));
  const included = sources.texts;
  if (!document) return { ok: false, problems, files, included, refusedRoutes: [] };
  const merged = document.kind === 'map' ? merge(document, toNode(overrides)) : document;
  const compileNode = (node: Node): Built => build(node, sources, problems, { directory, readFile });
  const { result, refusedRoutes } =
    merged.kind === 'map' && routes.length > 0 && wantsContainers(merged)
      ? buildWithRoutes(merged, routes, compileNode)
      : { result: compileNode(merged).result, refusedRoutes: [] };
  const all = { ...result, files: [...files, ...result.files], included, refusedRoutes };
  if (!needsRoute || !result.ok || result.config.docker !== null || everyRoute(result.config).length > 0)
    return all;
  const none = toProblems([NO_ROUTE], merged, sources, []);
  return { ok: false, problems: none, files: all.files, included, refusedRoutes };
}

/** Compiles settings made by a program to a frozen configuration. Throws a TypeError that lists every problem in them. */
export function createConfig(settings: Settings = {}): Config {
  const { result } = build(toNode(settings), new SourceTexts(''), [], {
    directory: '.',
    readFile: readRegularFile,
  });
  if (result.ok) return result.config;
  throw new TypeError(
    `bad settings:\n${renderProblems(result.problems, { file: '', text: '', most: MOST_SHOWN })}`,
  );
}

/** Do labels of containers make routes? */
function wantsContainers({ entries }: MapNode): boolean {
  const setting = entries.get('docker')?.value;
  return setting !== undefined && !(setting.kind === 'scalar' && setting.value === false);
}

/** What came of a document, and what is wrong with it. */
interface Built {
  readonly result: LoadResult;
  readonly findings: readonly Finding[];
}

/** Compiles a document with routes of containers. Those that the compiler refuses are left out: a label must not keep others from theirs. */
function buildWithRoutes(
  document: MapNode,
  routes: readonly ContainerRoute[],
  compileNode: (node: Node) => Built,
): { readonly result: LoadResult; readonly refusedRoutes: readonly RefusedRoute[] } {
  const refused = new Map<ContainerRoute, string>();
  const reject = (route: ContainerRoute, { message, hint }: Finding): void => {
    if (!refused.has(route)) refused.set(route, hint === '' ? message : `${message}. ${hint}`);
  };
  for (;;) {
    const wanted = routes.filter((route) => !refused.has(route));
    const extended = addRoutes(document, wanted);
    const { result, findings } = compileNode(extended.document);
    const before = refused.size;
    if (!result.ok)
      for (const finding of findings)
        for (const route of routesAt(finding.path, extended)) reject(route, finding);
    if (result.ok || wanted.length === 0) {
      const told = [...refused].map(([{ route, by }, reason]) => ({ route, by, reason }));
      return { result, refusedRoutes: [...extended.refused, ...told] };
    }
    if (refused.size > before) continue;
    // It is about something of the file: either that was wrong before, or one of the routes is in its way.
    const alone = compileNode(document);
    if (!alone.result.ok) return { result: alone.result, refusedRoutes: [] };
    const good: ContainerRoute[] = [];
    for (const route of wanted) {
      const tried = compileNode(addRoutes(document, [...good, route]).document);
      if (tried.result.ok) good.push(route);
      else reject(route, tried.findings[0] ?? NO_ROUTE);
    }
  }
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
): Built {
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
  const all = [...refused, ...findings];
  const problems = toProblems(all, document, places, faults);
  const rest = { files, included, refusedRoutes: [] };
  if (problems.length > 0) return { result: { ok: false, problems, ...rest }, findings: all };
  const shown = toProblems(warnings, document, places, []);
  return { result: { ok: true, config, warnings: shown, ...rest }, findings: all };
}
