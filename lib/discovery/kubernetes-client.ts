import type { ClientRequest, IncomingMessage } from 'node:http';
import * as http from 'node:http';
import * as https from 'node:https';
import { createSecureContext } from 'node:tls';
import { refuseUpgrade } from '../base/refuse-upgrade.js';
import { requestErrorReason } from '../base/request-error.js';
import { ValueError } from '../base/units.js';
import { VERSION } from '../base/version.js';
import type { Access } from './kubernetes-access.js';

/** A connection that carries nothing for this many ms is probed by TCP: one to a machine that is gone ends within half a minute. */
const PROBE_AFTER = 15_000;
/** The body of an error says why; more of it is not read. */
const MOST_ERROR_BYTES = 16 * 1024;
const MOST_ERROR_TEXT = 300;

/** Called as the answer of an API server arrives. One of `onEnd` and `onFailed` is the last call. */
export interface AnswerListener {
  /** The status is 200. */
  onOpen(): void;
  onBytes(bytes: Buffer): void;
  /** Everything was there. */
  onEnd(): void;
  /** `status`: that of the answer, 0 where there was none. `reason`: one line. */
  onFailed(status: number, reason: string): void;
}

/** Asks the API server of a cluster, one request at a time, each with the credentials as they are then. */
export class KubernetesClient {
  readonly #readAccess: () => Promise<Access>;
  #agent: http.Agent | null = null;
  /** What the agent was made of. */
  #agentKey = '';
  #request: ClientRequest | null = null;
  /** The number of the latest question: answers to earlier ones are not for anybody. */
  #latest = 0;

  constructor(readAccess: () => Promise<Access>) {
    this.#readAccess = readAccess;
  }

  /** `pathOf`: the path for a namespace. The former request ends without a further call. */
  get(pathOf: (namespace: string) => string, listener: AnswerListener): void {
    this.cancel();
    const number = this.#latest;
    this.#readAccess().then(
      (access) => {
        if (this.#latest === number) this.#send(access, pathOf(access.namespace), listener);
      },
      (error: Error) => {
        if (this.#latest === number) listener.onFailed(0, error.message);
      },
    );
  }

  /** Ends the request; its listener is not called any more. */
  cancel(): void {
    this.#latest++;
    this.#request?.destroy();
    this.#request = null;
  }

  close(): void {
    this.cancel();
    this.#agent?.destroy();
  }

  #send(access: Access, path: string, listener: AnswerListener): void {
    const { isSecure, host, port, prefix, token, serverName } = access;
    const number = this.#latest;
    const isLatest = (): boolean => this.#latest === number;
    let request: ClientRequest;
    try {
      request = (isSecure ? https : http).get({
        agent: this.#agentFor(access),
        host,
        port,
        path: prefix + path,
        ...(serverName === null ? {} : { servername: serverName }),
        headers: {
          Accept: 'application/json',
          'User-Agent': `lb/${VERSION}`,
          ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
        },
      });
    } catch (error) {
      listener.onFailed(0, error instanceof ValueError ? error.message : requestErrorReason(error as Error));
      return;
    }
    this.#request = request;
    let isAnswered = false;
    request.on('socket', (socket) => socket.setKeepAlive(true, PROBE_AFTER));
    const fail = (error: Error): void => {
      if (!isLatest()) return;
      this.cancel();
      listener.onFailed(0, requestErrorReason(error));
    };
    request.on('error', (error) => {
      // An API server may close a kept connection at the moment when it is used again.
      if (isLatest() && request.reusedSocket && !isAnswered) this.#send(access, path, listener);
      else fail(error);
    });
    refuseUpgrade(request);
    request.on('response', (response) => {
      isAnswered = true;
      response.on('error', fail);
      if (!isLatest()) response.destroy();
      else if (response.statusCode === 200) pass(response, isLatest, listener);
      else tellError(response, isLatest, listener);
    });
  }

  /** Made anew when authorities or the certificate of the client have changed. */
  #agentFor(access: Access): http.Agent {
    const { isSecure, ca, cert, key, isVerified } = access;
    const agentKey = isSecure ? [ca, cert, key, isVerified].join('\n') : '';
    if (this.#agent !== null && this.#agentKey === agentKey) return this.#agent;
    const terms = { keepAlive: true, maxSockets: 2, maxFreeSockets: 1 };
    const agent = isSecure
      ? new https.Agent({ ...terms, secureContext: contextOf(access), rejectUnauthorized: isVerified })
      : new http.Agent(terms);
    this.#agent?.destroy();
    this.#agent = agent;
    this.#agentKey = agentKey;
    return agent;
  }
}

function contextOf({ ca, cert, key }: Access) {
  try {
    return createSecureContext({ ca, ...(cert === null || key === null ? {} : { cert, key }) });
  } catch (error) {
    throw new ValueError(`certificates or key cannot be used: ${(error as Error).message}`);
  }
}

function pass(response: IncomingMessage, isLatest: () => boolean, listener: AnswerListener): void {
  listener.onOpen();
  response.on('data', (bytes: Buffer) => {
    if (isLatest()) listener.onBytes(bytes);
  });
  response.on('end', () => {
    if (!isLatest()) return;
    if (response.complete) listener.onEnd();
    else listener.onFailed(0, 'the answer is not complete');
  });
}

/** `status 403: endpointslices.discovery.k8s.io is forbidden: …`: the API server says it in a Status. */
function tellError(response: IncomingMessage, isLatest: () => boolean, listener: AnswerListener): void {
  const { statusCode: status = 0 } = response;
  let text = '';
  let isTold = false;
  const tell = (): void => {
    if (isTold || !isLatest()) return;
    isTold = true;
    const message = messageOf(text);
    listener.onFailed(status, `status ${status}${message === '' ? '' : `: ${message}`}`);
  };
  response.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
    if (text.length <= MOST_ERROR_BYTES) return;
    tell();
    response.destroy();
  });
  response.on('end', tell);
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return oneLine(typeof message === 'string' ? message : '');
  } catch {
    return '';
  }
}

/** A text of others in one line of visible characters. */
export function oneLine(text: string): string {
  return text
    .replace(/[^ -~]+/g, ' ')
    .trim()
    .slice(0, MOST_ERROR_TEXT);
}
