// Puts the parser's WebAssembly module and its licence beside the code that loads it, for the package: whoever installs
// that needs no llhttp-wasm, whose peer dependency on TypeScript would come along.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extractModule } from '../../dist/lib/http/llhttp-module.js';

const { resolve } = createRequire(import.meta.url);
const beside = new URL('../../dist/lib/http/', import.meta.url);
writeFileSync(new URL('llhttp.wasm', beside), extractModule(readFileSync(resolve('llhttp-wasm'), 'utf8')));
copyFileSync(resolve('llhttp-wasm/LICENSE'), new URL('llhttp.LICENSE', beside));
