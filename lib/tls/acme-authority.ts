import { createPrivateKey, X509Certificate } from 'node:crypto';
import { Agent } from 'node:https';
import { setTimeout as wait } from 'node:timers/promises';
import acme from 'acme-client';
import { systemAuthorities } from '../base/system-authorities.js';
import {
  type AcmeAnswers,
  AcmeError,
  type AcmeProblem,
  type AcmeThreadSettings,
  type ChallengeOffer,
  type OrderWork,
  type RegisterWork,
} from './acme-protocol.js';
import type { PemPair } from './acme-source.js';
import { challengeCertificate, renewalId } from './self-signed.js';

type Order = Awaited<ReturnType<acme.Client['createOrder']>>;
type Authorization = Awaited<ReturnType<acme.Client['getAuthorizations']>>[number];

/** For one request. */
const REQUEST_MS = 30_000;
/** For an order, from its creation to the certificate. */
const ORDER_MS = 5 * 60_000;
/** A chain is a few KiB long. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** A server may refuse every second nonce; each refusal comes with another one. */
const MAX_BAD_NONCES = 30;
const PROBLEM_PREFIX = 'urn:ietf:params:acme:error:';

interface Problem {
  readonly type?: unknown;
  readonly detail?: unknown;
  readonly subproblems?: readonly {
    readonly detail?: unknown;
    readonly identifier?: { readonly value?: unknown };
  }[];
}

interface Directory {
  readonly renewalInfo?: unknown;
}

/**
 * One certificate authority with an ACME directory (RFC 8555). There is one in a thread: `acme-client` sends all its
 * requests through one object with one set of options. Everything rejects with an AcmeError.
 */
export class AcmeAuthority {
  readonly #directoryUrl: string;
  /** How long an answer at this URL asked to wait, in ms. */
  readonly #retryAfter = new Map<string, number>();
  #directory: Directory | null = null;

  constructor({ directory, ca, userAgent }: AcmeThreadSettings) {
    this.#directoryUrl = directory;
    const { axios } = acme;
    // Those of acme-client retry by themselves, and hide why a connection failed.
    axios.interceptors.request.clear();
    axios.interceptors.response.clear();
    axios.defaults.timeout = REQUEST_MS;
    axios.defaults.maxContentLength = MAX_ANSWER_BYTES;
    axios.defaults.headers.common['User-Agent'] = userAgent;
    axios.defaults.httpsAgent = new Agent({ keepAlive: true, ca: ca ?? systemAuthorities() });
    axios.interceptors.response.use(
      (response) => {
        const { status, headers, data, config } = response;
        const retryAfterMs = retryAfterOf(headers['retry-after']);
        if (status >= 400) refuse(status, data, retryAfterMs);
        if (retryAfterMs > 0) this.#retryAfter.set(config.url ?? '', retryAfterMs);
        return response;
      },
      (error: NodeJS.ErrnoException) => {
        throw new AcmeError({ type: 'unreachable', message: this.#whyUnreachable(error), retryAfterMs: 0 });
      },
    );
  }

  #whyUnreachable({ code, message }: NodeJS.ErrnoException): string {
    const why = code === 'ECONNABORTED' ? `no answer within ${REQUEST_MS / 1000} s` : message || code;
    return `${new URL(this.#directoryUrl).host}: ${why}`;
  }

  /** Registers the key, or finds the account that it has already (RFC 8555, 7.3). */
  async register({ key, email, externalAccount }: RegisterWork): Promise<AcmeAnswers['register']> {
    return this.#explained(async () => {
      const accountKey = key ?? (await acme.crypto.createPrivateEcdsaKey()).toString();
      const client = this.#client(accountKey, null, externalAccount);
      await client.createAccount({
        termsOfServiceAgreed: true,
        ...(email === null ? {} : { contact: [`mailto:${email}`] }),
      });
      return { key: accountKey, url: client.getAccountUrl() };
    });
  }

  /**
   * Orders a certificate. `offer` is called with all challenges before the authority is told that they are there, and
   * resolves when they can be asked for.
   */
  async order(
    work: OrderWork,
    offer: (offers: readonly ChallengeOffer[]) => Promise<void>,
  ): Promise<AcmeAnswers['order']> {
    const { account, names } = work;
    return this.#explained(async () => {
      const client = this.#client(account.key, account.url, null);
      const ends = Date.now() + ORDER_MS;
      const order = await this.#create(client, work);
      const authorizations = await client.getAuthorizations(order);
      try {
        await this.#answer(client, authorizations, work.challenge, offer);
        const ready = await this.#settled(client, order, ['pending'], ends);
        if (ready.status === 'invalid') throw await whyInvalid(client, order);
      } catch (error) {
        await letGo(client, authorizations);
        throw error;
      }
      const key = (await acme.crypto.createPrivateEcdsaKey()).toString();
      const [, csr] = await acme.crypto.createCsr({ altNames: [...names] }, key);
      await client.finalizeOrder(order, csr);
      const issued = await this.#settled(client, order, ['ready', 'processing'], ends);
      if (issued.status !== 'valid') throw await whyInvalid(client, order);
      const cert = await client.getCertificate(issued);
      checkIssued({ cert, key }, names);
      return { cert, key };
    });
  }

  /** When the authority suggests renewing a certificate (RFC 9773). */
  async window(cert: string): Promise<AcmeAnswers['window']> {
    return this.#explained(async () => {
      const url = await this.#windowUrl(cert);
      if (url === null) return { window: null, retryAfterMs: 0 };
      const { data } = await acme.axios.get<{ suggestedWindow?: { start?: unknown; end?: unknown } }>(url);
      const start = Date.parse(String(data.suggestedWindow?.start));
      const end = Date.parse(String(data.suggestedWindow?.end));
      if (!(start < end)) throw badAnswer('its suggestedWindow has no start before its end');
      return { window: { start, end }, retryAfterMs: this.#retryAfter.get(url) ?? 0 };
    });
  }

  async #windowUrl(cert: string): Promise<string | null> {
    this.#directory ??= (await acme.axios.get<Directory>(this.#directoryUrl)).data;
    const { renewalInfo } = this.#directory;
    if (typeof renewalInfo !== 'string') return null;
    const id = renewalId(cert);
    return id === null ? null : `${renewalInfo}/${id}`;
  }

  async #create(client: acme.Client, { names, replaces }: OrderWork): Promise<Order> {
    const identifiers = names.map((value) => ({ type: 'dns', value }));
    const isTold = replaces !== null && (await this.#windowUrl(replaces)) !== null;
    if (!isTold) return client.createOrder({ identifiers });
    try {
      return await client.createOrder({ identifiers, replaces: renewalId(replaces) } as {
        identifiers: typeof identifiers;
      });
    } catch (error) {
      // Another order replaced it, or the authority does not know it any more.
      const { type } = (error as Partial<AcmeError>).problem ?? {};
      if (type !== 'alreadyReplaced' && type !== 'malformed' && type !== 'conflict') throw error;
      return client.createOrder({ identifiers });
    }
  }

  async #answer(
    client: acme.Client,
    authorizations: readonly Authorization[],
    type: OrderWork['challenge'],
    offer: (offers: readonly ChallengeOffer[]) => Promise<void>,
  ): Promise<void> {
    // One that was proved before is used again.
    const open = authorizations.filter(({ status }) => status === 'pending');
    const challenges = open.map(({ identifier, challenges }) => {
      const challenge = challenges.find((each) => each.type === type);
      if (challenge !== undefined) return { host: identifier.value, challenge };
      const offered = challenges.map((each) => each.type).join(', ');
      throw badAnswer(`it offers ${offered || 'no challenge'} for ${identifier.value}, not ${type}`);
    });
    const offers: ChallengeOffer[] = [];
    for (const { host, challenge } of challenges) {
      const keyAuthorization = await client.getChallengeKeyAuthorization(challenge);
      const pair = type === 'tls-alpn-01' ? await challengeCertificate(host, keyAuthorization) : null;
      offers.push({ host, token: challenge.token, keyAuthorization, pair });
    }
    if (offers.length > 0) await offer(offers);
    for (const { challenge } of challenges) await client.completeChallenge(challenge);
  }

  /** Asks for the order until it is in none of these states any more. */
  async #settled(
    client: acme.Client,
    order: Order,
    states: readonly Order['status'][],
    ends: number,
  ): Promise<Order> {
    for (let pause = 250; ; pause = Math.min(pause * 1.5, 5000)) {
      this.#retryAfter.delete(order.url);
      const now = await client.getOrder(order);
      if (!states.includes(now.status)) return now;
      const ms = Math.max(pause, Math.min(this.#retryAfter.get(order.url) ?? 0, 30_000));
      if (Date.now() + ms > ends)
        throw new AcmeError({
          type: 'timeout',
          message: `the order was still ${now.status} after ${ORDER_MS / 60_000} minutes`,
          retryAfterMs: 0,
        });
      await wait(ms);
    }
  }

  #client(
    accountKey: string,
    accountUrl: string | null,
    externalAccountBinding: RegisterWork['externalAccount'],
  ): acme.Client {
    const client = new acme.Client({
      directoryUrl: this.#directoryUrl,
      accountKey,
      ...(accountUrl === null ? {} : { accountUrl }),
      ...(externalAccountBinding === null ? {} : { externalAccountBinding }),
    });
    // 5 by default, which one request in 64 exceeds where every second nonce is refused.
    (client as unknown as { http: { maxBadNonceRetries: number } }).http.maxBadNonceRetries = MAX_BAD_NONCES;
    return client;
  }

  /** What `acme-client` throws itself is about an answer that it did not expect. */
  async #explained<T>(work: () => Promise<T>): Promise<T> {
    this.#retryAfter.clear();
    try {
      return await work();
    } catch (error) {
      throw error instanceof AcmeError ? error : badAnswer((error as Error).message);
    }
  }
}

/** Throws the problem in an answer (RFC 7807). A refused nonce passes, as the request is repeated with another. */
function refuse(status: number, data: unknown, retryAfterMs: number): void {
  const problem = (typeof data === 'object' && data !== null ? data : {}) as Problem;
  const type = typeOf(problem);
  if (type === 'badNonce') return;
  const limit = status === 429 ? 'rateLimited' : 'unreachable';
  const isBusy = status === 429 || status >= 500;
  throw new AcmeError({
    type: type === '' || (isBusy && type !== 'rateLimited') ? (isBusy ? limit : 'bad_answer') : type,
    message: textOf(problem) || `it answered ${status}`,
    retryAfterMs,
  });
}

function typeOf({ type }: Problem): string {
  return typeof type === 'string' && type.startsWith(PROBLEM_PREFIX) ? type.slice(PROBLEM_PREFIX.length) : '';
}

/** In one line. */
function textOf({ detail, subproblems = [] }: Problem): string {
  const parts = [
    detail,
    ...(Array.isArray(subproblems) ? subproblems : []).map((each: Problem) => each.detail),
  ];
  return parts
    .filter((part) => typeof part === 'string' && part !== '')
    .join('; ')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .slice(0, 500);
}

/** Seconds or a date (RFC 9110, 10.2.3), as ms from now; 0 when it is neither. */
function retryAfterOf(value: unknown): number {
  if (typeof value !== 'string' || value === '') return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return ms > 0 ? Math.min(ms, 30 * 24 * 60 * 60 * 1000) : 0;
}

/** Which challenge failed, and why. */
async function whyInvalid(client: acme.Client, order: Order): Promise<AcmeError> {
  for (const { identifier, challenges } of await client.getAuthorizations(order)) {
    for (const { type, error } of challenges as readonly { type: string; error?: Problem }[]) {
      if (error === undefined) continue;
      const message = `${type} for ${identifier.value} failed: ${textOf(error) || typeOf(error)}`;
      return new AcmeError({ type: typeOf(error) || 'bad_answer', message, retryAfterMs: 0 });
    }
  }
  const { error } = (await client.getOrder(order)) as { error?: Problem };
  return badAnswer(`the order is invalid${error === undefined ? '' : `: ${textOf(error)}`}`);
}

/** An authorization that stays open would count against a limit of the authority for days. */
async function letGo(client: acme.Client, authorizations: readonly Authorization[]): Promise<void> {
  for (const authorization of authorizations)
    if (authorization.status === 'pending')
      await client.deactivateAuthorization(authorization).catch(() => {});
}

/** Throws when the certificate does not fit its key, or does not have all names. */
function checkIssued({ cert, key }: PemPair, names: readonly string[]): void {
  const issued = new X509Certificate(cert);
  if (!issued.checkPrivateKey(createPrivateKey(key))) throw badAnswer('the certificate is for another key');
  for (const name of names)
    if (issued.checkHost(name) === undefined)
      throw badAnswer(`the certificate does not have the name ${name}`);
}

function badAnswer(message: string): AcmeError {
  const problem: AcmeProblem = {
    type: 'bad_answer',
    message: message.replace(/\s+/g, ' ').slice(0, 500),
    retryAfterMs: 0,
  };
  return new AcmeError(problem);
}
