import { YARDSTICKS } from './peer.js';
import { farthest, type Setup } from './setup.js';

/** Clients that send one request after another, each on its own connection. */
export interface RequestLoad {
  readonly kind: 'requests';
  readonly connections: number;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of request body. */
  readonly upload: number;
  /** What one request should open, the connection to the origin not counted: 0 or 1. */
  readonly opens: 0 | 1;
}

/** Clients that fetch a large body again and again and count its bytes. */
export interface StreamLoad {
  readonly kind: 'stream';
  readonly connections: number;
  readonly path: string;
}

/** Clients that made one request and stay connected. */
export interface IdleLoad {
  readonly kind: 'idle';
  readonly connections: number;
  readonly path: string;
}

/** How much more a row may cost than another that asks less: what should not grow with the configuration. */
export interface Growth {
  readonly from: string;
  readonly milestone: number;
  readonly goal: number;
}

/** One line of work. What it costs is µs of CPU time per request or MiB, or KiB of memory per connection. */
export interface Row {
  readonly name: string;
  readonly title: string;
  readonly setup: Setup;
  readonly load: RequestLoad | StreamLoad | IdleLoad;
  /** Whom lb is measured against. */
  readonly yardsticks: readonly string[];
  readonly growth?: Growth;
  /** What lb should reach: a ratio to the cheaper of the yardsticks, for memory KiB. */
  readonly milestone: number;
  readonly goal: number;
}

/** Twelve fields and a cookie, as a browser sends them (Host, the thirteenth, comes from the client). */
const BROWSER_FIELDS = {
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language': 'en-GB,en;q=0.7,fr;q=0.3',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  Referer: 'http://www.mango.com/catalogue/fruits?page=2&sort=price',
  DNT: '1',
  'Sec-GPC': '1',
  'Upgrade-Insecure-Requests': '1',
  'Sec-Fetch-Dest': 'document',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-Site': 'same-origin',
  'Cache-Control': 'max-age=0',
  Cookie: 'session=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b; theme=dark; shard=b; consent=yes',
};

const GET: RequestLoad = {
  kind: 'requests',
  connections: 64,
  method: 'GET',
  path: '/small',
  headers: {},
  upload: 0,
  opens: 0,
};

const PLAIN = { setup: 'plain', yardsticks: YARDSTICKS } as const;

const TLS = { setup: 'tls', yardsticks: YARDSTICKS } as const;

function toFarthest(setup: Setup): RequestLoad {
  const { host, path } = farthest(setup);
  return { ...GET, path: `${path}/small`, headers: { Host: host } };
}

export const ROWS: readonly Row[] = [
  {
    ...PLAIN,
    name: 'get',
    title: 'GET, 61-byte body, 64 keep-alive connections',
    load: GET,
    milestone: 1.35,
    goal: 1,
  },
  {
    ...PLAIN,
    name: 'browser',
    title: 'the same with 12 browser fields and a cookie',
    load: { ...GET, headers: BROWSER_FIELDS },
    milestone: 1.4,
    goal: 1,
  },
  {
    ...PLAIN,
    name: 'post',
    title: 'POST, 1 KiB up, 64 keep-alive connections',
    load: { ...GET, method: 'POST', path: '/sink', upload: 1024 },
    milestone: 1.4,
    goal: 1,
  },
  {
    ...PLAIN,
    name: 'thousand',
    title: 'GET, 61-byte body, 1,000 keep-alive connections',
    load: { ...GET, connections: 1000 },
    milestone: 1.25,
    goal: 1,
  },
  {
    ...PLAIN,
    name: 'medium',
    title: 'GET, 100 KiB body, 64 keep-alive connections',
    load: { ...GET, path: '/medium' },
    milestone: 1,
    goal: 0.8,
  },
  {
    ...PLAIN,
    name: 'large',
    title: 'GET, 64 MiB body, 2 keep-alive connections',
    load: { kind: 'stream', connections: 2, path: '/large' },
    milestone: 0.5,
    goal: 0.35,
  },
  {
    ...PLAIN,
    name: 'close',
    title: 'GET, 61-byte body, a new connection per request, 64 at a time',
    load: { ...GET, headers: { Connection: 'close' }, opens: 1 },
    milestone: 1.9,
    goal: 1.3,
  },
  {
    ...PLAIN,
    name: 'idle',
    title: 'memory of 4,000 idle keep-alive connections after as many others, one request each',
    load: { kind: 'idle', connections: 4000, path: '/small' },
    milestone: 10,
    goal: 4,
  },
  {
    ...PLAIN,
    name: 'hosts-10',
    title: 'the same as get with 10 hosts, one of them with 10 paths',
    setup: 'hosts-10',
    load: toFarthest('hosts-10'),
    milestone: 1.4,
    goal: 1,
  },
  {
    ...PLAIN,
    name: 'hosts-10k',
    title: 'the same with 10,000 hosts, one of them with 1,000 paths',
    setup: 'hosts-10k',
    load: toFarthest('hosts-10k'),
    growth: { from: 'hosts-10', milestone: 1.1, goal: 1.05 },
    milestone: 1.4,
    goal: 1,
  },
  {
    ...PLAIN,
    name: 'servers-1k',
    title: 'the same as get with 1,000 servers',
    setup: 'servers-1k',
    load: GET,
    growth: { from: 'get', milestone: 1.3, goal: 1.1 },
    milestone: 1.4,
    goal: 1,
  },
  {
    name: 'everything',
    title: 'browser, 10,000 networks refused, field and parameter rules, rate limit, JSON log',
    setup: 'everything',
    load: { ...GET, path: '/small?RemoveMe=1&keep=2', headers: BROWSER_FIELDS },
    yardsticks: ['haproxy'],
    milestone: 1.6,
    goal: 1.1,
  },
  {
    ...TLS,
    name: 'tls-get',
    title: 'TLS 1.3, GET, 61-byte body, 64 keep-alive connections',
    load: GET,
    milestone: 1.5,
    goal: 1.2,
  },
  {
    ...TLS,
    name: 'tls-close',
    title: 'TLS 1.3, GET, 61-byte body, a new connection with a full handshake per request, 64 at a time',
    load: { ...GET, headers: { Connection: 'close' }, opens: 1 },
    milestone: 1.4,
    goal: 1.15,
  },
  {
    ...TLS,
    name: 'tls-medium',
    title: 'TLS 1.3, GET, 100 KiB body, 64 keep-alive connections',
    load: { ...GET, path: '/medium' },
    milestone: 1,
    goal: 0.85,
  },
  {
    ...TLS,
    name: 'tls-large',
    title: 'TLS 1.3, GET, 64 MiB body, 2 keep-alive connections',
    load: { kind: 'stream', connections: 2, path: '/large' },
    milestone: 1,
    goal: 0.85,
  },
  {
    ...TLS,
    name: 'tls-idle',
    title: 'memory of 4,000 idle TLS 1.3 connections after as many others, one request each',
    load: { kind: 'idle', connections: 4000, path: '/small' },
    milestone: 60,
    goal: 40,
  },
];
