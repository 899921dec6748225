import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../../..');

/** A page of the documentation, by its path from the root of the project. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** A fenced block, and the line of its opening fence. */
export interface Block {
  readonly language: string;
  /** What else stands behind the language: of which program it is, where it is not lb's. */
  readonly program: string;
  readonly text: string;
  readonly line: number;
}

/** README and every page of `docs/`, with those that stand beside the code. */
export function pages(): readonly Page[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`);
  const beside = [
    'README.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'CHANGELOG.md',
    'lib/README.md',
    'test/README.md',
  ];
  const there = new Set(readdirSync(ROOT));
  return [...beside.filter((file) => file.includes('/') || there.has(file)), ...docs].map((path) => ({
    path,
    text: readFileSync(join(ROOT, path), 'utf8'),
  }));
}

/** The fenced blocks of a page, in order. */
export function blocksOf({ text }: Page): readonly Block[] {
  return [...text.matchAll(/^```([\w-]*) *([^\n]*)\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] ?? '',
    program: match[2] ?? '',
    text: match[3] ?? '',
    line: text.slice(0, match.index).split('\n').length,
  }));
}

/** The part of a page below one of its headings, up to the next of the same level. Throws where there is none. */
export function sectionOf(path: string, heading: string): Page {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const start = text
    .split('\n')
    .findIndex((line) => line.replace(/^#+ +/, '') === heading && /^##/.test(line));
  if (start === -1) throw new Error(`${path} has no heading ${JSON.stringify(heading)}`);
  const lines = text.split('\n').slice(start);
  const level = /^#+/.exec(lines[0] ?? '')?.[0] ?? '##';
  const end = lines.findIndex((line, index) => index > 0 && line.startsWith(`${level} `));
  return { path, text: (end === -1 ? lines : lines.slice(0, end)).join('\n') };
}

/** The commands of the shell blocks of a page, in order, without comments. */
export function commandsOf(page: Page): readonly string[] {
  return blocksOf(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.split('\n'))
    .map((line) => line.replace(/ +# .*$/, ''))
    .filter((line) => line !== '');
}

/** The page without its fenced blocks: what is in them is no prose, link or heading. */
export function proseOf({ text }: Page): string {
  return text.replace(/^```.*?^```$/gms, '');
}

/** The anchors that a viewer of Markdown gives to the headings of a page. */
export function anchorsOf(page: Page): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading = ''] of proseOf(page).matchAll(/^#{1,6} +(.*)$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/`/g, '');
    const anchor = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-');
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    anchors.add(times === 0 ? anchor : `${anchor}-${times}`);
  }
  return anchors;
}
