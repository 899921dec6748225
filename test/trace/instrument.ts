import ts from 'typescript';

/**
 * Loader hooks that make every function of `dist/lib` report when it is entered and left, to the function that
 * `main.ts` puts at `globalThis.lbTrace`.
 */
type Load = (
  url: string,
  context: unknown,
  next: (url: string, context: unknown) => Promise<{ source?: string | Uint8Array }>,
) => Promise<{ source?: string | Uint8Array }>;

const LIB = '/dist/lib/';

export const load: Load = async (url, context, next) => {
  const loaded = await next(url, context);
  if (!url.includes(LIB) || !url.endsWith('.js') || loaded.source === undefined) return loaded;
  const file = url.slice(url.indexOf(LIB) + LIB.length).replace(/\.js$/, '');
  return { ...loaded, source: instrumented(file, loaded.source.toString()) };
};

function instrumented(file: string, text: string): string {
  const source = ts.createSourceFile(`${file}.js`, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  const inserts: [at: number, text: string][] = [];
  const visit = (node: ts.Node, owner: string): void => {
    const name = ts.isClassLike(node) ? (node.name?.text ?? owner) : owner;
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const called = `${file}:${nameOf(node, name)}`;
      wrap(source, node.body as ts.ConciseBody, called, inserts);
    }
    ts.forEachChild(node, (child) => visit(child, name));
  };
  visit(source, '');
  // From the end, so that positions stay right; of two at one place the inner function's comes first.
  inserts.reverse().sort(([a], [b]) => b - a);
  let out = text;
  for (const [at, piece] of inserts) out = out.slice(0, at) + piece + out.slice(at);
  return out;
}

function wrap(
  source: ts.SourceFile,
  body: ts.ConciseBody,
  called: string,
  inserts: [number, string][],
): void {
  const enter = `globalThis.lbTrace?.enter(${JSON.stringify(called)})`;
  const leave = 'globalThis.lbTrace?.leave()';
  if (ts.isBlock(body)) {
    inserts.push([body.getStart(source) + 1, ` ${enter}; try {`]);
    inserts.push([body.end - 1, `} finally { ${leave}; }`]);
  } else {
    inserts.push([body.getStart(source), `{ ${enter}; try { return `]);
    inserts.push([body.end, `; } finally { ${leave}; } }`]);
  }
}

function nameOf(node: ts.SignatureDeclaration, owner: string): string {
  const prefix = owner === '' ? '' : `${owner}.`;
  if (ts.isConstructorDeclaration(node)) return `new ${owner}`;
  if (node.name !== undefined) return `${prefix}${node.name.getText()}`;
  const { parent } = node;
  const holder =
    ts.isPropertyAssignment(parent) || ts.isVariableDeclaration(parent) ? parent.name.getText() : '';
  return `${prefix}${holder === '' ? '(function)' : holder}`;
}
