import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as x509 from '@peculiar/x509';
import type { Test } from 'tap';
import { TestAuthority } from '../support/certificates.js';

/** How a request is answered instead of as usual. */
export interface Refusal {
  readonly status: number;
  /** The last part of its type: `rateLimited`. */
  readonly type?: string;
  readonly detail?: string;
  readonly headers?: { readonly [name: string]: string };
  /** Sent instead of a problem document. */
  readonly text?: string;
}

export interface Window {
  readonly start: Date;
  readonly end: Date;
  readonly retryAfter?: number;
}

interface FakeOrder {
  readonly names: readonly string[];
  status: string;
  certificate: string;
}

/**
 * An authority that does what a test asks for: it has proofs of everything already, and refuses, is slow or suggests
 * times to renew where it is told to.
 */
export class FakeDirectory {
  readonly directory: string;
  /** The path of each request, and what its JWS carried. */
  readonly asked: { readonly path: string; readonly payload: { readonly [name: string]: unknown } }[] = [];
  /** By path; consulted for each request. */
  readonly refusals = new Map<string, Refusal>();
  /** null: the directory does not offer it. */
  window: Window | null = null;
  /** Each order stays at this status for so many questions. */
  processing = 0;
  /** Lifetime of what it issues, from an hour ago. */
  notBefore = Date.now() - 3_600_000;
  notAfter = Date.now() + 90 * 86_400_000;
  /** Orders at the same time, at most. */
  mostOpen = 0;
  /** Held back until this resolves. */
  hold: Promise<void> = Promise.resolve();
  readonly #authority: TestAuthority;
  readonly #orders: FakeOrder[] = [];
  #open = 0;

  private constructor(port: number, authority: TestAuthority) {
    this.directory = `http://127.0.0.1:${port}/dir`;
    this.#authority = authority;
  }

  static async start(t: Test): Promise<FakeDirectory> {
    const server: Server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const fake = new FakeDirectory(port, await TestAuthority.create('Fake CA'));
    server.on('request', (request, response) => void fake.#answer(request, response));
    t.teardown(() => {
      server.close();
      server.closeAllConnections();
    });
    return fake;
  }

  count(path: string): number {
    return this.asked.filter((each) => each.path === path).length;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    let text = '';
    for await (const chunk of request) text += (chunk as Buffer).toString();
    const jws = text === '' ? {} : (JSON.parse(text) as { payload?: string });
    const json = Buffer.from(jws.payload ?? '', 'base64url').toString();
    const payload = json === '' ? {} : (JSON.parse(json) as { [name: string]: unknown });
    if (request.method !== 'HEAD') this.asked.push({ path, payload });
    response.setHeader('Replay-Nonce', randomBytes(12).toString('base64url'));
    const refusal = this.refusals.get(path);
    if (refusal !== undefined) refuse(response, refusal);
    else await this.#serve(path, payload, response);
  }

  async #serve(
    path: string,
    payload: { readonly [name: string]: unknown },
    response: ServerResponse,
  ): Promise<void> {
    const url = (rest: string): string => new URL(rest, this.directory).href;
    const send = (status: number, body: unknown, headers: { [name: string]: string } = {}): void => {
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    };
    const [, kind = '', number = ''] = /^\/([a-z]+)\/?(.*)$/.exec(path) ?? [];
    const order = this.#orders[Number(number)];
    switch (kind) {
      case 'dir':
        return send(200, {
          newNonce: url('nonce'),
          newAccount: url('account'),
          newOrder: url('order'),
          ...(this.window === null ? {} : { renewalInfo: url('window') }),
        });
      case 'nonce':
        return send(200, {});
      case 'account':
        return send(201, { status: 'valid' }, { Location: url('account/1') });
      case 'window':
        return this.#suggest(send);
      case 'order':
        if (number === '') return this.#create(payload, url, send);
        return send(200, this.#view(Number(number), url));
      case 'finalize':
        await this.hold;
        await this.#issue(order as FakeOrder, String(payload.csr));
        return send(200, this.#view(Number(number), url));
      case 'certificate':
        this.#open--;
        response.writeHead(200, { 'Content-Type': 'application/pem-certificate-chain' });
        response.end(order?.certificate);
        return;
      default:
        return send(404, { detail: `no ${path}` });
    }
  }

  #suggest(send: (status: number, body: unknown, headers?: { [name: string]: string }) => void): void {
    const { start, end, retryAfter } = this.window as Window;
    const headers = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
    send(200, { suggestedWindow: { start: start.toISOString(), end: end.toISOString() } }, headers);
  }

  #create(
    payload: { readonly [name: string]: unknown },
    url: (rest: string) => string,
    send: (status: number, body: unknown, headers?: { [name: string]: string }) => void,
  ): void {
    const names = (payload.identifiers as { value: string }[]).map(({ value }) => value);
    this.#orders.push({ names, status: 'ready', certificate: '' });
    this.#open++;
    this.mostOpen = Math.max(this.mostOpen, this.#open);
    const id = this.#orders.length - 1;
    send(201, this.#view(id, url), { Location: url(`order/${id}`) });
  }

  #view(id: number, url: (rest: string) => string): object {
    const { names, status } = this.#orders[id] as FakeOrder;
    return {
      status,
      identifiers: names.map((value) => ({ type: 'dns', value })),
      authorizations: [],
      finalize: url(`finalize/${id}`),
      ...(status === 'valid' ? { certificate: url(`certificate/${id}`) } : {}),
    };
  }

  async #issue(order: FakeOrder, csr: string): Promise<void> {
    const request = new x509.Pkcs10CertificateRequest(Buffer.from(csr, 'base64url'));
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: randomBytes(8).toString('hex').replace(/^./, '1'),
      subject: `CN=${order.names[0]}`,
      issuer: this.#authority.issuer,
      notBefore: new Date(this.notBefore),
      notAfter: new Date(this.notAfter),
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      publicKey: request.publicKey,
      signingKey: this.#authority.keys.privateKey,
      extensions: [
        new x509.SubjectAlternativeNameExtension(order.names.map((value) => ({ type: 'dns', value }))),
        await x509.AuthorityKeyIdentifierExtension.create(this.#authority.keys.publicKey),
      ],
    });
    order.certificate = `${certificate.toString('pem')}\n${this.#authority.cert}`;
    order.status = 'valid';
  }
}

function refuse(response: ServerResponse, { status, type, detail, headers = {}, text }: Refusal): void {
  response.writeHead(status, { 'Content-Type': 'application/problem+json', ...headers });
  if (text !== undefined) response.end(text);
  else response.end(JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail, status }));
}
