import { extname } from 'node:path';
import { whyUnreadable } from '../base/regular-file.js';
import { ValueError } from '../base/units.js';

/**
 * The largest body that is kept in memory and written as a whole. While a client does not read, its connection holds what
 * the kernel does not take of it.
 */
const MAX_BODY_BYTES = 256 * 1024;

/** Types of files that people answer with; anything else is only bytes. */
const TYPES: { readonly [extension: string]: string } = {
  '.avif': 'image/avif',
  '.css': 'text/css; charset=utf-8',
  '.gif': 'image/gif',
  '.htm': 'text/html; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.xml': 'application/xml',
};

/** The content of a file, and its type by the extension of its name. */
export interface BodyFile {
  /** Bytes as latin1. */
  readonly body: string;
  readonly contentType: string;
}

/** What is needed to read files for bodies. */
export interface BodyFileReader {
  readonly readFile: (name: string, maxBytes: number, encoding: 'latin1') => string;
  /** The files that were read, by name: many hosts answer with the same one. */
  readonly bodies: Map<string, BodyFile>;
}

/** Reads the body of a response. Throws a ValueError when it cannot be read or is too large. */
export function readBodyFile(name: string, { readFile, bodies }: BodyFileReader): BodyFile {
  const known = bodies.get(name);
  if (known !== undefined) return known;
  let body: string;
  try {
    body = readFile(name, MAX_BODY_BYTES, 'latin1');
  } catch (error) {
    throw new ValueError(`${name} cannot be read: ${whyUnreadable(error)}`);
  }
  const read = { body, contentType: TYPES[extname(name).toLowerCase()] ?? 'application/octet-stream' };
  bodies.set(name, read);
  return read;
}
