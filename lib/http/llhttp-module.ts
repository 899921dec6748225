import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/**
 * The WebAssembly build of llhttp 9.3 that the `llhttp-wasm` package carries inside its JavaScript. The package's own
 * wrapper can't serve a proxy (it loses spans that are split over two reads, decodes heads as UTF-8, copies bodies); so
 * the module is extracted and driven by `llhttp.ts`.
 */

const PINNED_SHA256 = '259f8302ac0f7fd7d38469e0d16b505e59c6b432cc5eb856be4d012260de0e11';
/** The base64 text with which every WebAssembly module begins. */
const MODULE_START = '"AGFzb';

/** The part of the WebAssembly API that is used here; Node's types leave it to those of the DOM. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: { env: LlhttpImports }) => { readonly exports: object };
};

/** The exports that `llhttp.ts` uses. Pointers are byte offsets into `memory`. */
export interface LlhttpExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  malloc(bytes: number): number;
  /** A parser of `type` (1 request, 2 response), connected to the imported callbacks. */
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_reset(parser: number): void;
  llhttp_execute(parser: number, data: number, length: number): number;
  llhttp_resume(parser: number): void;
  llhttp_get_error_pos(parser: number): number;
  /** A pointer to an error text that ends with a NUL. */
  llhttp_get_error_reason(parser: number): number;
}

/** The callbacks that the module imports: a parser, and where a span lies in memory. 0 continues, 21 pauses, -1 refuses. */
export interface LlhttpImports {
  wasm_on_message_begin(parser: number): number;
  wasm_on_url(parser: number, at: number, length: number): number;
  wasm_on_status(parser: number, at: number, length: number): number;
  wasm_on_header_field(parser: number, at: number, length: number): number;
  wasm_on_header_value(parser: number, at: number, length: number): number;
  wasm_on_headers_complete(parser: number, status: number, upgrade: number, keepAlive: number): number;
  wasm_on_body(parser: number, at: number, length: number): number;
  wasm_on_message_complete(parser: number): number;
}

/** The module's bytes from the JavaScript of `llhttp-wasm`. Throws when they are not the ones this code was written for. */
export function extractModule(source: string): Buffer {
  const start = source.indexOf(MODULE_START) + 1;
  return checked(Buffer.from(source.slice(start, source.indexOf('"', start)), 'base64'));
}

/** Refuses to start with another parser. */
function checked(bytes: Buffer): Buffer {
  const hash = createHash('sha256').update(bytes).digest('hex');
  if (hash !== PINNED_SHA256) {
    throw new Error(`llhttp-wasm is not version 1.0.3: its module hashes to ${hash}. Run: npm ci`);
  }
  return bytes;
}

/** The module lies beside this file in our npm package (`packaging/npm`), else in the package `llhttp-wasm`. */
function readModule(): Buffer {
  const beside = new URL('./llhttp.wasm', import.meta.url);
  if (existsSync(beside)) return checked(readFileSync(beside));
  return extractModule(readFileSync(createRequire(import.meta.url).resolve('llhttp-wasm'), 'utf8'));
}

/** Compiles and starts the module. Throws when it is not the expected one. */
export function instantiateLlhttp(callbacks: LlhttpImports): LlhttpExports {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(readModule()), { env: callbacks });
  const exports = instance.exports as LlhttpExports;
  exports._initialize();
  return exports;
}
