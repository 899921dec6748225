import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Address } from '../base/address.js';
import type { Observer } from '../base/observer.js';
import { inShortSlices } from '../base/slices.js';
import { type Clock, systemClock } from '../base/timer-wheel.js';
import type { AdminConfig } from '../config/types.js';
import { SAMPLE_MS } from '../control/status/histories.js';
import { descriptorOf } from '../net/accept.js';
import type { InheritedSocket } from '../net/inherited-sockets.js';
import type { ListeningSocket } from '../net/listeners.js';
import { SocketFile } from '../net/socket-file.js';
import { createTlsSocketServer } from '../net/tls-socket-server.js';
import type { TlsTerms } from '../net/tls-terms.js';
import { Failures } from '../observe/failures.js';
import type { ThreadReader } from '../observe/thread-reader.js';
import { type AdminConnection, AdminConnections } from './admin-connections.js';
import type { AdminDeps, AdminTarget } from './admin-target.js';
import { ApiError, refusalOf } from './api-error.js';
import { Authorization } from './authorization.js';
import type { AdminRoute, Answer, Call } from './call.js';
import { EventStream } from './event-stream.js';
import { Page } from './page.js';
import { RequestTail } from './request-tail.js';
import { adminRoutes } from './routes.js';
import { send } from './send.js';
import { Traffic } from './traffic.js';

/** A server of sockets, with or without HTTP. */
type NetServer = ReturnType<typeof createTlsSocketServer>;

const LIMITS = { headersTimeout: 5000, requestTimeout: 15_000, keepAliveTimeout: 30_000 };
/** Timeout of a socket without traffic; the heartbeat of event streams counts as traffic. */
const SILENCE_MS = 60_000;
/** How long requests in flight may take when another process goes on with the socket. */
const LEAVE_MS = 1000;
const MAX_HEADER_BYTES = 16 * 1024;

const HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};

/**
 * The admin listener, separate from the listeners for requests: metrics, health, the API and the status page. Made
 * before the balancer, which calls its `observer`; opened after it.
 */
export class Admin {
  readonly #config: AdminConfig;
  readonly #clock: Clock;
  readonly #authorization: Authorization;
  readonly #traffic: Traffic;
  readonly #visitors: AdminConnections;
  readonly #failures = new Failures();
  #server: Server | null = null;
  /** What listens: the same, or what decrypts for it. */
  #door: NetServer | null = null;
  /** null: it is not on a Unix socket. */
  #file: SocketFile | null = null;
  #events: EventStream | null = null;
  #tail: RequestTail | null = null;
  #services: AdminDeps | null = null;
  #isLeaving = false;
  #isSampling = false;
  #stopSampling: () => void = () => {};
  /** Does a service manager hold the socket too? */
  #isHeld = false;
  #routes: readonly AdminRoute[] = [];

  constructor(config: AdminConfig, clock: Clock = systemClock) {
    this.#config = config;
    this.#clock = clock;
    this.#authorization = new Authorization(config);
    this.#traffic = new Traffic(clock);
    this.#visitors = new AdminConnections(clock);
  }

  /** Has to be called for every request. */
  get observer(): Observer {
    const observer: ThreadReader = {
      reads: 'failures',
      requestSettled: (record) => {
        this.#traffic.note(record);
        this.#failures.note(record);
      },
      requestsSummed: (summary) => {
        this.#traffic.include(summary);
        this.#failures.include(summary.failures);
      },
    };
    return observer;
  }

  /** The listening address; port 0 is resolved once it is open. */
  get address(): Address {
    const bound = this.#door?.address();
    const { listen } = this.#config;
    if (listen.kind === 'unix' || typeof bound !== 'object' || bound === null) return listen;
    const { port } = bound;
    return { ...listen, port, text: listen.text.replace(/\d+$/, String(port)) };
  }

  /**
   * What another process needs to go on with the socket; null when it is not open, or this Node does not expose its
   * descriptor.
   */
  get socket(): ListeningSocket | null {
    const descriptor = this.#door === null ? null : descriptorOf(this.#door);
    if (descriptor === null) return null;
    const ownsFile = this.#file?.isOwn ?? false;
    return { descriptor, wanted: this.#config.listen, address: this.address, ownsFile, isHeld: this.#isHeld };
  }

  /**
   * Begins to answer for `subject`, at `listen` if that differs from the configured address, by TLS with `terms`. Rejects with
   * the system's error when the address can't be bound.
   */
  async open(
    subject: AdminTarget,
    services: AdminDeps,
    listen = this.#config.listen,
    terms: TlsTerms | null = null,
  ): Promise<void> {
    const events = new EventStream(subject, this.#clock);
    const tail = new RequestTail(subject, this.#clock);
    const exhibits = { subject, services, events, tail, traffic: this.#traffic, failures: this.#failures };
    this.#events = events;
    this.#tail = tail;
    this.#services = services;
    this.#routes = adminRoutes({ ...exhibits, page: new Page() });
    const server = createServer(
      {
        ...LIMITS,
        maxHeaderSize: MAX_HEADER_BYTES,
        connectionsCheckingInterval: 1000,
        // Refused by `Authorization`, with a reason.
        requireHostHeader: false,
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#visitors.watch(server);
    server.setTimeout(SILENCE_MS, (socket) => socket.destroy());
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
      onClientError(error, socket);
      this.#visitors.noteFarewell(socket as AdminConnection);
    });
    const door =
      terms === null
        ? server
        : createTlsSocketServer(terms, {
            plainHttp: PLAIN_HTTP,
            onSocket: (socket) => void server.emit('connection', socket),
          });
    const inherited = (await services.inherited?.take(listen)) ?? null;
    this.#isHeld = inherited?.isHeld ?? false;
    this.#file = await listening(door, listen, inherited);
    this.#door = door;
    this.#server = server;
    this.#traffic.start(() => subject.collectFigures());
    this.#stopSampling = this.#clock.every(SAMPLE_MS, () => void this.#sample(subject));
  }

  async #sample(subject: AdminTarget): Promise<void> {
    if (this.#isSampling) return;
    this.#isSampling = true;
    try {
      await subject.collectFigures();
      await inShortSlices(subject.views.sampleSteps());
    } catch (error) {
      this.#services?.report(error);
    }
    this.#isSampling = false;
  }

  /**
   * Accepts no more connections, because another process goes on with the socket. Requests in flight are answered, and their
   * connections closed after that; streams of events end. Resolves when that is done, or after a second.
   */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.#door?.close();
    this.#events?.close();
    this.#tail?.close();
    this.#server?.closeIdleConnections();
    const until = this.#clock.now() + LEAVE_MS;
    while (this.#visitors.busyCount > 0 && this.#clock.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 10));
  }

  /** Cuts all connections at once. Safe to call at any time. */
  close(): void {
    this.#traffic.stop();
    this.#stopSampling();
    this.#events?.close();
    this.#tail?.close();
    this.#visitors.close();
    if (!this.#isLeaving) this.#file?.remove();
    this.#door?.close();
    this.#server?.closeAllConnections();
    this.#server = null;
    this.#door = null;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#visitors.noteRequest(request.socket, response);
    request.on('error', () => response.destroy());
    response.on('error', () => response.destroy());
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    try {
      const answer = await this.#answer(request, response);
      if (this.#isLeaving && !response.headersSent) response.setHeader('connection', 'close');
      if (answer !== null) await send(response, answer);
    } catch (error) {
      // The caller may be gone in the middle of its body: then there is no one to answer.
      if (response.headersSent) response.destroy();
      else if (!response.destroyed) refuse(request, response, this.#refusal(error));
    }
  }

  /** A bug in the admin code must not end the balancer: it is reported, and the request fails. */
  #refusal(error: unknown): ApiError {
    const refusal = refusalOf(error);
    if (refusal instanceof ApiError) return refusal;
    this.#services?.report(error);
    return new ApiError(500, 'internal', 'internal error; the log has the details');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer | null> {
    const { path, query } = targetOf(request);
    this.#authorization.admit(request, path === '/');
    const { route, name } = this.#route(request.method ?? '', path);
    const role = this.#authorization.roleOf(request);
    if (route.access === 'token' && role === 'stranger')
      throw new ApiError(401, 'unauthorized', 'this needs the token of the admin listener', {
        hint: 'Send it as Authorization: Bearer TOKEN; admin.token in the settings file has it.',
        headers: { 'www-authenticate': 'Bearer realm="lb"' },
      });
    if (route.method !== 'GET' && role === 'reader')
      throw new ApiError(403, 'read_only', 'this token allows reading only', {
        hint: 'Send admin.token of the settings file, not admin.read_token.',
      });
    const call: Call = { request, response, query, name, role };
    return route.handle(call);
  }

  #route(method: string, path: string): { route: AdminRoute; name: string } {
    const allowed: string[] = [];
    for (const route of this.#routes) {
      const name = nameIn(path, route.path);
      if (name === null) continue;
      if (route.method === method || (route.method === 'GET' && method === 'HEAD')) return { route, name };
      allowed.push(...(route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]));
    }
    if (allowed.length === 0)
      throw new ApiError(404, 'not_found', `there is no ${path}`, {
        hint: '/api/openapi.json describes what there is.',
      });
    throw new ApiError(405, 'method_not_allowed', `${path} takes ${allowed.join(', ')}`, {
      hint: '/api/openapi.json describes what each does.',
      headers: { allow: allowed.join(', ') },
    });
  }
}

function targetOf({ url = '/' }: IncomingMessage): { path: string; query: URLSearchParams } {
  const [path = '', query = ''] = url.split(/\?(.*)/s);
  return { path, query: new URLSearchParams(query) };
}

/** The value of `{name}` in `path`, empty for a path without it; null when the path does not match. */
function nameIn(path: string, pattern: string): string | null {
  const [prefix = '', hole] = pattern.split('{name}');
  if (hole === undefined) return path === pattern ? '' : null;
  const rest = path.slice(prefix.length);
  if (!path.startsWith(prefix) || rest === '' || rest.includes('/')) return null;
  try {
    return decodeURIComponent(rest);
  } catch {
    return null;
  }
}

function refuse(request: IncomingMessage, response: ServerResponse, refusal: ApiError): void {
  const { status, code, message, hint, details, headers } = refusal;
  const error = { code, message, hint, ...(details === '' ? {} : { details }) };
  // The unread rest of the body would be read as the next request.
  const close = request.complete ? {} : { connection: 'close' };
  const type = 'application/json';
  const body = `${JSON.stringify({ error })}\n`;
  void send(response, { status, type, body, headers: { ...headers, ...close } });
}

type ClientError = readonly [status: number, phrase: string, message: string];

const BAD_REQUEST: ClientError = [400, 'Bad Request', 'this is not HTTP'];
const CLIENT_ERRORS: { readonly [code: string]: ClientError } = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'the request did not arrive in time'],
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', `a head may have ${MAX_HEADER_BYTES} bytes`],
};

/** Bytes that are not HTTP, too many or too slow: answered if that is still possible. */
function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  // A client that has sent nothing gets no response.
  if (error.code === 'ECONNRESET' || !socket.writable || (socket as AdminConnection).bytesRead === 0) {
    socket.destroy();
    return;
  }
  const [status, phrase, message] = CLIENT_ERRORS[error.code ?? ''] ?? BAD_REQUEST;
  const code = phrase.toLowerCase().replaceAll(' ', '_');
  const hint = 'This port speaks plain HTTP/1.1; /api/openapi.json describes what there is.';
  const body = `${JSON.stringify({ error: { code, message, hint } })}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
}

const PLAIN_HTTP_TEXT = `${JSON.stringify({
  error: {
    code: 'bad_request',
    message: 'this port speaks HTTPS, and the request was sent in plain HTTP',
    hint: 'Write https:// in the URL.',
  },
})}\n`;
const PLAIN_HTTP =
  `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n` +
  `Content-Length: ${PLAIN_HTTP_TEXT.length}\r\n\r\n${PLAIN_HTTP_TEXT}`;

/** Returns the file of a Unix socket. Rejects with the system's error. */
function listening(
  server: NetServer,
  address: Address,
  inherited: InheritedSocket | null,
): Promise<SocketFile | null> {
  return new Promise((resolve, reject) => {
    let file: SocketFile | null = null;
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      // Accepting fails while the process has no free descriptors; that is temporary.
      server.on('error', () => {});
      resolve(file);
    });
    if (inherited !== null) {
      server.listen({ fd: inherited.descriptor });
      if (address.kind === 'unix') file = SocketFile.inherited(address.path, inherited.ownsFile);
    } else if (address.kind === 'unix') file = SocketFile.bind(server, address.path, null);
    else if (address.host === '') server.listen(address.port);
    else server.listen(address.port, address.host);
  });
}
