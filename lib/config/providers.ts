import { basename, dirname } from 'node:path';
import { ValueError } from '../base/units.js';
import type { FileReader } from './pem-files.js';
import type { Report } from './report.js';
import type { ServerSettings } from './settings.js';
import type { Path } from './tree.js';
import type { FileSourceConfig, SourceConfig } from './types.js';

/** A source of servers as it is written, and what is asked. */
export interface Source {
  /** The source as people write it: `file /etc/lb/targets/*.json`. */
  readonly text: string;
  readonly config: SourceConfig;
}

/** What the compiler of a kind needs besides the entry. */
interface KindDeps {
  readonly report: Report;
  readonly files: FileReader;
}

/** Compiles the entry at `path`. undefined: a problem was reported. */
type CompileKind = (entry: ServerSettings, path: Path, deps: KindDeps) => Source | undefined;

/** Every key that stands for an address: where the servers come from in its place. */
const KINDS = {
  file: compileFile,
} as const satisfies Partial<Record<keyof ServerSettings, CompileKind>>;

type Kind = keyof typeof KINDS;

const KIND_NAMES = Object.keys(KINDS) as readonly Kind[];

/** The kinds of sources that an entry has a key of. */
export function kindsOf(entry: ServerSettings): readonly Kind[] {
  return KIND_NAMES.filter((kind) => Object.hasOwn(entry, kind));
}

/** Compiles the source of an entry. undefined: a problem was reported, here or by the schema. */
export function compileSource(
  kind: Kind,
  entry: ServerSettings,
  path: Path,
  deps: KindDeps,
): Source | undefined {
  return entry[kind] === undefined ? undefined : KINDS[kind](entry, path, deps);
}

const WILD = /[*?]/;

function compileFile(
  { file = '' }: ServerSettings,
  path: Path,
  { report, files }: KindDeps,
): Source | undefined {
  return report.attempt([...path, 'file'], () => {
    const full = files.resolveFile(file);
    const [folder, pattern] = [dirname(full), basename(full)];
    if (WILD.test(folder))
      throw new ValueError(
        'only the last part of the path may have * and ?',
        `Write ${folder.replace(/\/[^/]*[*?].*$/, '')}/${pattern}.`,
      );
    if (!/\.(json|ya?ml)$/.test(pattern))
      throw new ValueError(
        `expected files that end in .json, .yml or .yaml, got ${JSON.stringify(file)}`,
        'The end of the name says which format a file has.',
      );
    const config: FileSourceConfig = { kind: 'file', folder, pattern };
    return { text: `file ${file}`, config };
  });
}
