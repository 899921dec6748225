import { mapOf } from '../base/json.js';
import { Deadline, type DeadlineOwner, type TimerWheel } from '../base/timer-wheel.js';
import { ValueError } from '../base/units.js';
import type { KubernetesSourceConfig } from '../config/types.js';
import type { Source, SourceListener } from './contract.js';
import { parseSlice, type Slice, type SliceServers, serversOf } from './endpoint-slices.js';
import { JsonLines } from './json-lines.js';
import { accessReader, type PodSurroundings } from './kubernetes-access.js';
import { type AnswerListener, KubernetesClient, oneLine } from './kubernetes-client.js';

/** EndpointSlices of one page of a list: with 100 endpoints each they are read in some 5 ms. */
const PAGE = 10;
const MOST_PAGE_BYTES = 16 * 1024 * 1024;
/** etcd keeps no object that is larger than 1.5 MB. */
const MOST_LINE_BYTES = 4 * 1024 * 1024;
/** Endpoints that are not ready, and those of slices that overlap, count too. */
const MOST_ENDPOINTS = 40_000;
const MOST_SLICES = 10_000;
/** ms until an API server has to have answered with a page, or accepted a watch. */
const ANSWER = 10_000;
/** The API server ends a watch after this many seconds. */
const WATCH_S = 120;
/** ms after which a watch that did not end is given up: the connection is dead. */
const SILENCE = WATCH_S * 1000 + ANSWER;
/** How often it reports, while it watches, that its list is still right, in ms. */
const VALID = 60_000;
/**
 * A watch that ends, or a list that is outdated, within this many ms of its beginning is an error: it would begin again
 * at once.
 */
const AT_ONCE = 1000;
/** Events within this many ms of each other are reported together. */
const TOGETHER = 100;

type State = 'idle' | 'listing' | 'opening' | 'watching';

/**
 * The EndpointSlices of a Service, by list and watch (https://kubernetes.io/docs/reference/using-api/api-concepts/): all are
 * listed in pages; then changes come as lines of JSON, each with a version from which the next watch goes on. A watch that ends,
 * or is cut, goes on at once from there. Versions that the API server does not have any more (410 Gone) and all errors
 * lead to another list.
 */
export class KubernetesSource implements Source, DeadlineOwner {
  readonly #config: KubernetesSourceConfig;
  readonly #wheel: TimerWheel;
  readonly #client: KubernetesClient;
  readonly #deadline: Deadline;
  readonly #together: Deadline;
  #listener: SourceListener | null = null;
  #state: State = 'idle';
  /** By name: as they are known, and those of a list that is not complete. */
  #slices = new Map<string, Slice>();
  #listed = new Map<string, Slice>();
  /** As it stands in a path. */
  #version = '';
  /** When the list and the watch began, and something was told, by the clock. */
  #listedAt = Number.NEGATIVE_INFINITY;
  #openedAt = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  /** Is a list complete that was not reported yet? */
  #isUntold = false;
  /** Why there is no watch; empty unless it is refused. */
  #watchTrouble = '';
  #hasServers = false;
  /** Is there a question that was not answered? */
  #isAsked = false;

  constructor(
    config: KubernetesSourceConfig,
    { wheel, pod }: { readonly wheel: TimerWheel; readonly pod?: PodSurroundings },
  ) {
    this.#config = config;
    this.#wheel = wheel;
    this.#client = new KubernetesClient(accessReader(config, pod));
    this.#deadline = new Deadline(wheel, this);
    this.#together = new Deadline(wheel, { onDeadline: () => this.#tell() });
  }

  ask(listener: SourceListener): void {
    this.#listener = listener;
    this.#isAsked = true;
    if (this.#state === 'idle') this.#list();
    else if (this.#state === 'watching') queueMicrotask(() => this.#answer());
  }

  stop(): void {
    this.#listener = null;
    this.#state = 'idle';
    this.#client.close();
    this.#deadline.release();
    this.#together.release();
  }

  onDeadline(): void {
    if (this.#state === 'watching') this.#watch();
    else this.#fail(`no ${this.#state === 'listing' ? 'whole answer' : 'watch'} within ${ANSWER / 1000} s`);
  }

  #pathOf(query: string): (namespace: string) => string {
    const label = encodeURIComponent(`kubernetes.io/service-name=${this.#config.service}`);
    return (namespace) =>
      `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${label}&${query}`;
  }

  #list(): void {
    this.#listed = new Map();
    this.#listedAt = this.#wheel.clock.now();
    this.#listPage('');
  }

  #listPage(token: string): void {
    this.#state = 'listing';
    this.#deadline.arm(ANSWER);
    const query = `limit=${PAGE}${token === '' ? '' : `&continue=${encodeURIComponent(token)}`}`;
    const chunks: Buffer[] = [];
    let length = 0;
    this.#client.get(this.#pathOf(query), {
      onOpen: () => {},
      onBytes: (bytes) => {
        chunks.push(bytes);
        length += bytes.length;
        if (length > MOST_PAGE_BYTES) this.#fail('a page of the list is larger than 16 MB');
      },
      onEnd: () => this.#attempt(() => this.#onPage(JSON.parse(Buffer.concat(chunks).toString()))),
      // The rest of a list that took too long is not there any more.
      onFailed: (status, reason) =>
        status === 410 && token !== '' ? this.#relist(reason) : this.#fail(reason),
    });
  }

  #onPage(page: unknown): void {
    const { items, metadata } = mapOf(page, 'a list');
    const { resourceVersion, continue: token } = mapOf(metadata, 'metadata of the list');
    if (!Array.isArray(items ?? [])) throw new ValueError('expected a list of EndpointSlices');
    for (const slice of ((items ?? []) as readonly unknown[]).map(parseSlice))
      this.#listed.set(slice.name, slice);
    checkSize(this.#listed);
    if (typeof token === 'string' && token !== '') {
      this.#listPage(token);
      return;
    }
    if (typeof resourceVersion !== 'string') throw new ValueError('the list has no resourceVersion');
    this.#version = encodeURIComponent(resourceVersion);
    this.#slices = this.#listed;
    this.#listed = new Map();
    this.#isUntold = true;
    // Where watches are refused each list would be a recovery, and each watch an error.
    if (this.#watchTrouble === '') this.#tell();
    this.#watch();
  }

  /** Lists again at once, if the list is not new. */
  #relist(reason: string): void {
    if (this.#wheel.clock.now() - this.#listedAt >= AT_ONCE) this.#list();
    else this.#fail(reason);
  }

  #watch(): void {
    if (this.#listener === null) return;
    this.#state = 'opening';
    this.#deadline.arm(ANSWER);
    const lines = new JsonLines(MOST_LINE_BYTES);
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${this.#version}&timeoutSeconds=${WATCH_S}`;
    const listener: AnswerListener = {
      onOpen: () => this.#onOpen(),
      onBytes: (bytes) => this.#attempt(() => this.#onEvents(lines.read(bytes))),
      onEnd: () => this.#onWatchEnd('the watch ended at once'),
      onFailed: (status, reason) => {
        if (status === 410) this.#relist(reason);
        else if (this.#state === 'watching') this.#onWatchEnd(reason);
        else this.#fail(reason);
      },
    };
    this.#client.get(this.#pathOf(query), listener);
  }

  #onOpen(): void {
    this.#state = 'watching';
    this.#openedAt = this.#wheel.clock.now();
    this.#deadline.arm(SILENCE);
    this.#watchTrouble = '';
    if (this.#isUntold) this.#tell();
    else this.#answer();
  }

  /** Answers from a watch: all is known. */
  #answer(): void {
    if (!this.#isAsked || this.#state !== 'watching') return;
    // An empty list is confirmed by another one.
    if (this.#hasServers) this.#tell();
    else this.#list();
  }

  /** A watch ends after its time, and when an API server, or something on the way there, is restarted. */
  #onWatchEnd(reason: string): void {
    if (this.#wheel.clock.now() - this.#openedAt >= AT_ONCE) this.#watch();
    else this.#fail(reason);
  }

  #onEvents(events: readonly unknown[]): void {
    let isChanged = false;
    for (const event of events) {
      const { type, object } = mapOf(event, 'an event');
      if (type === 'ERROR') {
        this.#onError(object);
        return;
      }
      const { metadata } = mapOf(object, 'the object of an event');
      const { resourceVersion } = mapOf(metadata, 'metadata of an event');
      if (type === 'DELETED') isChanged = this.#slices.delete(parseSlice(object).name) || isChanged;
      if (type === 'ADDED' || type === 'MODIFIED') {
        const slice = parseSlice(object);
        this.#slices.set(slice.name, slice);
        isChanged = true;
      }
      if (typeof resourceVersion === 'string') this.#version = encodeURIComponent(resourceVersion);
    }
    if (!isChanged) return;
    checkSize(this.#slices);
    this.#tellSoon();
  }

  /** A Status in place of an event, after which the API server ends the watch. */
  #onError(value: unknown): void {
    const { code, message } = mapOf(value, 'a Status');
    const reason = `the watch ended with ${String(code)}: ${oneLine(String(message))}`;
    if (code === 410) this.#relist(reason);
    else this.#fail(reason);
  }

  #tellSoon(): void {
    const pause = this.#toldAt + TOGETHER - this.#wheel.clock.now();
    if (pause <= 0) this.#tell();
    else this.#together.arm(pause);
  }

  #tell(): void {
    const listener = this.#listener;
    if (listener === null) return;
    this.#toldAt = this.#wheel.clock.now();
    this.#together.disarm();
    this.#isUntold = false;
    this.#isAsked = false;
    try {
      const { servers, trouble } = this.#servers();
      this.#hasServers = servers.length > 0;
      listener.onServers(servers, VALID, this.#watchTrouble === '' ? trouble : this.#watchTrouble);
    } catch (error) {
      listener.onFailed(this.#told(error));
    }
  }

  #servers(): SliceServers {
    const { port, family, service, namespace } = this.#config;
    const { servers, trouble } = serversOf(this.#slices.values(), port, family);
    const name = namespace === null ? service : `${namespace}/${service}`;
    const hint = `no EndpointSlice has the label kubernetes.io/service-name=${service}: is there a Service ${name}?`;
    return { servers, trouble: this.#slices.size === 0 ? hint : trouble };
  }

  /** Runs what reads an answer. Whatever an API server sends, it must not end the balancer. */
  #attempt(read: () => void): void {
    try {
      read();
    } catch (error) {
      this.#fail(this.#told(error));
    }
  }

  #told(error: unknown): string {
    if (error instanceof SyntaxError) return 'the list is not JSON';
    return error instanceof ValueError ? error.message : oneLine(String(error));
  }

  /** The next question begins with a list. */
  #fail(reason: string): void {
    const isListed = this.#state === 'opening' && this.#isUntold;
    if (this.#state === 'opening' || this.#state === 'watching') this.#watchTrouble = `watch: ${reason}`;
    const text = this.#watchTrouble === '' || this.#state === 'listing' ? reason : this.#watchTrouble;
    this.#state = 'idle';
    this.#client.cancel();
    this.#deadline.disarm();
    this.#together.disarm();
    this.#isAsked = false;
    if (isListed) this.#tell();
    else this.#listener?.onFailed(text);
  }
}

function checkSize(slices: ReadonlyMap<string, Slice>): void {
  if (slices.size > MOST_SLICES) throw new ValueError(`more than ${MOST_SLICES} EndpointSlices`);
  let count = 0;
  for (const { endpoints } of slices.values()) count += endpoints.length;
  if (count > MOST_ENDPOINTS) throw new ValueError(`more than ${MOST_ENDPOINTS} endpoints`);
}
