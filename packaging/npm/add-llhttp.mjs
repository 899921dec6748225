// Puts the parser's WebAssembly module and its licence beside the code that loads it, for the package: whoever installs
// that needs no llhttp-wasm, whose peer dependency on TypeScript would come along.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extractModule } from '../../dist/lib/http/llhttp-module.js';

const { resolve } = createRequire(import.meta.url);
const beside = new URL('../../dist/lib/http/', import.meta.url);
put('llhttp.wasm', extractModule(readFileSync(resolve('llhttp-wasm'), 'utf8')));
put('llhttp.LICENSE', readFileSync(resolve('llhttp-wasm/LICENSE')));

/** As a whole: somebody else may pack what is here meanwhile. */
function put(name, content) {
  const own = new URL(`../../${name}.${process.pid}`, beside);
  writeFileSync(own, content);
  renameSync(own, new URL(name, beside));
}
