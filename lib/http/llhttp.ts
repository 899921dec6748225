import { ObjectPool } from '../base/collections.js';
import { instantiateLlhttp, type LlhttpImports } from './llhttp-module.js';

/**
 * The binding: one instance, one window of WASM memory that input is copied into, and callbacks that only write offsets
 * into typed arrays. Nothing is decoded, nothing throws, and no callback affects another parser, so all parsers share one
 * window.
 */

const WINDOW_BYTES = 64 * 1024;
/** Up to this many bytes a loop is faster than `copy`, which makes an object for each call. */
const BYTEWISE = 256;
const PAUSED = 21;
const REFUSE = -1;

const NOTHING = 0;
const NAME = 1;
const VALUE = 2;

let active: LlhttpParser;

const goesOn = (): number => 0;

export type MessageKind = 'request' | 'response';

/** Parsed before a trailer section, so that the parser expects one. */
const BEFORE_TRAILERS = Buffer.from('PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n');

/**
 * One llhttp parser and the offsets of what it parsed last: a head (`reset`, then `executeHead` until `headComplete`), or
 * a trailer section (`beginTrailers`, then `executeTrailers` until `messageComplete`). It gets no bodies.
 */
export class LlhttpParser {
  readonly kind: MessageKind;
  readonly #handle: number;
  /** Four per field: start and end of its name, start and end of its value. The caller's array, which does not grow. */
  offsets: Int32Array;
  fieldCount = 0;
  #maxFields = 0;
  #last = NOTHING;
  /** Added to a pointer, makes it an offset for `offsets`. */
  #fieldShift = 0;
  headComplete = false;
  messageComplete = false;
  failed = false;
  /** Did the parser fail because there are more fields than `offsets` has room for, and not for a byte that HTTP forbids? */
  hitFieldLimit = false;

  constructor(kind: MessageKind) {
    this.kind = kind;
    this.#handle = llhttp.llhttp_alloc(kind === 'request' ? 1 : 2);
    this.offsets = new Int32Array(0);
  }

  /** Frees the parser in WASM memory. It must not be used again. */
  free(): void {
    llhttp.llhttp_free(this.#handle);
  }

  /** Prepares for a new message in any state; field offsets go into `offsets` from now on. */
  reset(offsets: Int32Array): void {
    resetParser(this.#handle);
    this.offsets = offsets;
    this.#maxFields = offsets.length >> 2;
    this.fieldCount = 0;
    this.#last = NOTHING;
    this.headComplete = false;
    this.messageComplete = false;
    this.failed = false;
    this.hitFieldLimit = false;
  }

  /**
   * Parses head bytes. `at` is the distance of `start` from the first byte of the head. Returns the position in `buffer`
   * after the last byte parsed; the caller then checks `headComplete` and `failed`.
   */
  executeHead(buffer: Buffer, start: number, end: number, at: number): number {
    let position = start;
    while (position < end && !this.headComplete && !this.failed) {
      // Heads are small: a first piece of 4 KiB saves copying 60 KiB of body that came in the same read.
      const bite = Math.min(end, position + 4096);
      this.#fieldShift = at + (position - start) - window;
      position = this.#execute(buffer, position, bite);
    }
    return position;
  }

  /** Called instead of `reset`: a trailer section is next, whose fields go into `offsets`. */
  beginTrailers(offsets: Int32Array): void {
    this.reset(offsets);
    const lastChunk = this.executeHead(BEFORE_TRAILERS, 0, BEFORE_TRAILERS.length, 0);
    llhttp.llhttp_resume(this.#handle);
    this.#execute(BEFORE_TRAILERS, lastChunk, BEFORE_TRAILERS.length);
    this.fieldCount = 0;
    this.#last = NOTHING;
  }

  /** Parses a trailer section; parameters and result are those of `executeHead`. */
  executeTrailers(buffer: Buffer, start: number, end: number, at: number): number {
    let position = start;
    while (position < end && !this.messageComplete && !this.failed) {
      const bite = Math.min(end, position + WINDOW_BYTES);
      this.#fieldShift = at + (position - start) - window;
      position = this.#execute(buffer, position, bite);
    }
    return position;
  }

  /** The error after the parser `failed`, in llhttp's words, lower case; empty when it was a limit of ours. */
  get fault(): string {
    const start = this.failed && !this.hitFieldLimit ? llhttp.llhttp_get_error_reason(this.#handle) : 0;
    if (start === 0) return '';
    if (heap.byteLength === 0) heap = new Uint8Array(llhttp.memory.buffer);
    const end = heap.indexOf(0, start);
    return Buffer.from(heap.subarray(start, end)).toString('latin1').toLowerCase();
  }

  #execute(buffer: Buffer, start: number, end: number): number {
    copyToWindow(buffer, start, end);
    active = this;
    const code = executeModule(this.#handle, window, end - start);
    if (code === 0) return end;
    if (code !== PAUSED) this.failed = true;
    return start + errorPosition(this.#handle) - window;
  }

  /** The module calls these for the parser that is being executed. They only write down what they are passed. */
  static readonly callbacks: LlhttpImports = {
    wasm_on_message_begin: goesOn,
    wasm_on_url: goesOn,
    wasm_on_status: goesOn,
    wasm_on_body: goesOn,

    // A name after a value begins a new field; a name after a name is the rest of a split one.
    wasm_on_header_field(_handle, at, length) {
      const parser = active;
      const start = at + parser.#fieldShift;
      if (parser.#last === NAME) {
        parser.offsets[parser.fieldCount * 4 - 3] = start + length;
        return 0;
      }
      if (parser.fieldCount === parser.#maxFields) {
        parser.hitFieldLimit = true;
        return REFUSE;
      }
      const index = parser.fieldCount * 4;
      parser.offsets[index] = start;
      parser.offsets[index + 1] = start + length;
      parser.offsets[index + 2] = 0;
      parser.offsets[index + 3] = 0;
      parser.fieldCount++;
      parser.#last = NAME;
      return 0;
    },

    // Called for every field, even with an empty value.
    wasm_on_header_value(_handle, at, length) {
      const parser = active;
      const index = parser.fieldCount * 4 - 4;
      const start = at + parser.#fieldShift;
      if (parser.#last !== VALUE) {
        parser.offsets[index + 2] = start;
        parser.#last = VALUE;
      }
      parser.offsets[index + 3] = start + length;
      return 0;
    },

    // Always pauses: the parsers of heads decide about the body, not llhttp.
    wasm_on_headers_complete() {
      active.headComplete = true;
      return PAUSED;
    },

    // Pauses, so that the bytes of the next message are not parsed.
    wasm_on_message_complete() {
      active.messageComplete = true;
      return PAUSED;
    },
  };
}

const llhttp = instantiateLlhttp(LlhttpParser.callbacks);
// Copied to constants: the module's exports are a table that is searched by name at each use.
const {
  llhttp_execute: executeModule,
  llhttp_get_error_pos: errorPosition,
  llhttp_reset: resetParser,
} = llhttp;
const window = llhttp.malloc(WINDOW_BYTES);
let heap = new Uint8Array(llhttp.memory.buffer);

function copyToWindow(source: Buffer, start: number, end: number): void {
  // Growing the memory detaches every view of it.
  if (heap.byteLength === 0) heap = new Uint8Array(llhttp.memory.buffer);
  if (end - start > BYTEWISE) source.copy(heap, window, start, end);
  else for (let i = start; i < end; i++) heap[window + i - start] = source[i] as number;
}

/** How many messages may be incomplete at the same time before a parser is made for each further one. */
const POOLED_OBJECTS = 1024;
const requestParsers = poolOf('request');
const responseParsers = poolOf('response');

function poolOf(kind: MessageKind): ObjectPool<LlhttpParser> {
  return new ObjectPool(
    POOLED_OBJECTS,
    () => new LlhttpParser(kind),
    (parser) => parser.free(),
  );
}

/**
 * The pools of parsers, which are `reset` after they are taken. Most heads arrive whole, so one parser serves all of them
 * and stays in the CPU caches. Parsers of requests read the trailer sections of both kinds of messages.
 */
export function llhttpPool(kind: MessageKind): ObjectPool<LlhttpParser> {
  return kind === 'request' ? requestParsers : responseParsers;
}
