import { createConfig } from '../../lib/config/config.js';

/** What an attacker sends on each of its connections. Latin1. */
export interface Assault {
  /** Sent first on each connection. */
  readonly head: string;
  /** Sent after it again and again, as fast as it is taken; empty: nothing more is sent. */
  readonly block: string;
  /** `block` is one request, sent again only when it was answered. */
  readonly waits: boolean;
}

/** What an attack costs the balancer. ms: of processor time. MiB: by which its memory grew (RSS). */
export type Cost = 'ms per MB' | 'ms per request' | 'MiB';

/** What an attack must not do. Factors are to another balancer in the same run; 0 is no bar. */
export interface Bar {
  /** To the median wait with `p50Of`. */
  readonly p50: number;
  readonly p50Of: 'nginx' | 'haproxy';
  /** To nginx's 99th percentile. */
  readonly p99: number;
  readonly cost: number;
}

export interface Attack {
  /** Point of the list of attacks, and what to call it with `--attacks`. */
  readonly name: string;
  readonly title: string;
  readonly connections: number;
  readonly assault: Assault;
  /** Which program counts the bytes of the cost: who sends them. */
  readonly bytesFrom: 'attacker' | 'origin';
  readonly cost: Cost | null;
  readonly bar: Bar;
  /** Only lb is attacked: what is tried are its own settings. */
  readonly onlyLb: boolean;
}

/** Hosts that the balancers know besides 127.0.0.1, which other clients ask for. */
export const HOSTS = {
  nobody: 'nobody.test',
  forbidden: 'forbidden.test',
  limited: 'limited.test',
  moved: 'moved.test',
  fixed: 'fixed.test',
  chunks: 'chunks.test',
  patterns: 'patterns.test',
} as const;

/** Bytes of an attacker's block: a read of most balancers and more. */
const BLOCK = 64 * 1024;

const OWN_ANSWERS: Bar = { p50: 2, p50Of: 'haproxy', p99: 2, cost: 0 };
const TINY_CHUNKS: Bar = { p50: 2, p50Of: 'nginx', p99: 0, cost: 6 };

function get(host: string, path = '/none'): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
}

function filled(text: string): string {
  return text.repeat(Math.ceil(BLOCK / text.length));
}

/** 16 connections, each with as many requests as it can send before the first is answered. */
function pipelined(name: string, title: string, block: string): Attack {
  return {
    name,
    title,
    connections: 16,
    assault: { head: '', block, waits: false },
    bytesFrom: 'attacker',
    cost: null,
    bar: OWN_ANSWERS,
    onlyLb: false,
  };
}

const CHUNK = '1;e\r\na\r\n';

function upload(method: string): string {
  return `${method} /up HTTP/1.1\r\nHost: ${HOSTS.chunks}\r\nTransfer-Encoding: chunked\r\n\r\n`;
}

/** Bytes on the wire of a body that never ends: it fits into no buffer of a request that may be sent again. */
const UNFINISHED = 84 * 1024;

/** A pattern an operator may write, and the 61 or so bytes that are worst for it. */
interface Pattern {
  readonly source: string;
  readonly text: string;
}

const PATTERNS: readonly Pattern[] = [
  { source: '/^([a-z]{1,10}-?){1,8}$/', text: `${'a'.repeat(60)}!` },
  { source: '/^([\\w.-]{1,10}/?){1,9}$/', text: `${'a'.repeat(60)}!` },
  { source: '/^(\\w+\\s?)*$/', text: `${'a'.repeat(60)}!` },
  { source: '/x.*y/', text: 'x'.repeat(8000) },
  { source: '/^.*x.*y$/', text: 'x'.repeat(8000) },
  { source: '/union.{0,100}select/i', text: 'union'.repeat(1600) },
  { source: '/(a|b|ab)*c/', text: 'ab'.repeat(4000) },
  { source: '/Android|iPhone/', text: 'Androi'.repeat(1333) },
];
/** As many conditions as a route may well have. Heads of 32 KiB hold so many fields of 8,000 bytes, and hardly more. */
const FIELDS = ['X-One', 'X-Two', 'X-Three', 'X-Four'];

/** Does lb take it into a configuration? */
function isAccepted({ source }: Pattern): boolean {
  try {
    createConfig({ routes: [{ match: { header: { 'X-One': source } }, respond: { status: 403 } }] });
    return true;
  } catch {
    return false;
  }
}

/** Those that lb accepts; the others can't be attacked. */
export const ACCEPTED: readonly Pattern[] = PATTERNS.filter(isAccepted);

/** Routes of lb: all conditions are tried, and none holds. */
export function patternPaths(): readonly object[] {
  return ACCEPTED.map(({ source }, index) => ({
    path: `/pattern-${index}`,
    routes: FIELDS.map((field) => ({ match: { header: { [field]: source } }, respond: { status: 403 } })),
    respond: { status: 200, body: 'ok\n' },
  }));
}

function pattern({ source, text }: Pattern, index: number): Attack {
  const fields = FIELDS.map((field) => `${field}: ${text}\r\n`).join('');
  return {
    name: `pattern-${index + 1}`,
    title: source,
    connections: 4,
    assault: {
      head: '',
      block: `GET /pattern-${index} HTTP/1.1\r\nHost: ${HOSTS.patterns}\r\n${fields}\r\n`,
      waits: true,
    },
    bytesFrom: 'attacker',
    cost: 'ms per request',
    bar: { p50: 0, p50Of: 'nginx', p99: 0, cost: 5 },
    onlyLb: true,
  };
}

export const ATTACKS: readonly Attack[] = [
  pipelined('not-found', 'requests for nobody', filled(get(HOSTS.nobody))),
  pipelined('forbidden', 'requests that get 403', filled(get(HOSTS.forbidden))),
  pipelined('limited', 'requests that get 429', filled(get(HOSTS.limited))),
  pipelined('redirect', 'redirects', filled(get(HOSTS.moved))),
  pipelined('fixed', 'fixed answers', filled(get(HOSTS.fixed))),
  pipelined('readiness', 'asking for readiness', filled(get('127.0.0.1', '/ready'))),
  pipelined('mixed-400', 'all of them, then 400', mixed()),
  {
    name: 'chunks-up',
    title: 'tiny chunks, up',
    connections: 10,
    assault: { head: upload('POST'), block: filled(CHUNK), waits: false },
    bytesFrom: 'attacker',
    cost: 'ms per MB',
    bar: TINY_CHUNKS,
    onlyLb: false,
  },
  {
    name: 'chunks-down',
    title: 'tiny chunks, down',
    connections: 10,
    assault: { head: get(HOSTS.chunks, '/down'), block: '', waits: false },
    bytesFrom: 'origin',
    cost: 'ms per MB',
    bar: TINY_CHUNKS,
    onlyLb: false,
  },
  {
    name: 'unfinished',
    title: '1,000 unfinished PUTs',
    connections: 1000,
    assault: {
      head: upload('PUT') + CHUNK.repeat(UNFINISHED / CHUNK.length),
      block: '',
      waits: false,
    },
    bytesFrom: 'attacker',
    cost: 'MiB',
    bar: { p50: 0, p50Of: 'nginx', p99: 0, cost: 150 },
    onlyLb: false,
  },
  ...ACCEPTED.map(pattern),
];

/** Some of each, and what ends the connection: the attacker comes back at once. */
function mixed(): string {
  const { nobody, forbidden, limited, moved, fixed } = HOSTS;
  const some = [nobody, forbidden, limited, moved, fixed].map((host) => get(host).repeat(100)).join('');
  return `${some}${get('127.0.0.1', '/ready').repeat(100)}GET / HTTP/1.1\r\nHost: a b\r\n\r\n`;
}
