import type { Address } from '../base/address.js';
import { IpAddress } from '../base/ip-address.js';
import type { Reason } from '../base/observer.js';
import { PLAIN_TRANSPORT, type TransportInfo } from '../base/transport-info.js';
import type { TimeoutsConfig } from '../config/types.js';
import type { Firewall } from '../firewall/firewall.js';
import type { FirewallChain } from '../firewall/firewall-chain.js';
import type { ClientSide } from '../http/flow.js';
import type { ForwardedClient } from '../http/forwarded.js';
import type { RequestHead } from '../http/head.js';
import { HeadEdit } from '../http/head-edit.js';
import { encodeRequestHead } from '../http/head-encoder.js';
import { statusOfResponse } from '../http/proxy-status.js';
import { RequestView } from '../http/request-view.js';
import { readTraceParent } from '../http/trace-context.js';
import type { RuleContext } from '../rules/context.js';
import type { ErrorPage } from '../rules/error-pages.js';
import { type Captures, NO_CAPTURES } from '../rules/pattern.js';
import type { RouteReply } from '../rules/route-reply.js';
import type { RouteRules } from '../rules/route-rules.js';
import { NO_KEY, type PickKey } from '../servers/scheduler/scheduler.js';
import type { Server } from '../servers/server.js';
import type { ServerGroup } from '../servers/server-group.js';
import type { HoldLine } from './hold-line.js';
import type { RequestFacts, RequestKey } from './request-key.js';
import type { RequestTrace, Tracer } from './request-trace.js';
import type { RetryPolicy } from './retries.js';

/** Why and how the balancer answers a request itself. */
export interface LocalReply {
  readonly status: number;
  readonly reason: Reason;
  /** For the log: the setting that refused the request. */
  readonly detail: string;
  /** Header lines that are added to the answer, each with its line end. */
  readonly fields: string;
}

/** What is known of one request while it is decided on and answered. The object serves one request after the other. */
export class RequestContext implements RuleContext {
  readonly view = new RequestView();
  /** The address of the client, after trusted proxies are skipped. */
  client = IpAddress.unix;
  trustsPeer = false;
  requestId = '';
  /** null: there is no `tracing`. */
  trace: RequestTrace | null = null;
  captures: Captures = NO_CAPTURES;
  attempt = 1;
  server = '';
  /** The transport of the client's connection. */
  transport: TransportInfo = PLAIN_TRANSPORT;
  /** The route of the request; null before the decision, and when there is none. */
  destination: CompiledRoute | null = null;
  readonly requestEdit = new HeadEdit();
  readonly responseEdit = new HeadEdit();
  /** The rules for local replies to a request that has no route. */
  lostRules: RouteRules | null = null;
  /** The name of this balancer in Proxy-Status; empty: there is no such field. */
  proxyName = '';
  /** Applies before all routes; gets the status at the end. */
  globalFirewall: Firewall | null = null;
  /** The firewalls of the route, which count the request until its end. */
  #entered: FirewallChain | null = null;

  open(head: RequestHead, forwarded: ForwardedClient, address: IpAddress, requestId: string): void {
    this.client = address;
    this.trustsPeer = forwarded.trusted;
    this.transport = forwarded.transport;
    this.requestId = requestId;
    this.trace = null;
    this.captures = NO_CAPTURES;
    this.attempt = 1;
    this.server = '';
    this.destination = null;
    this.lostRules = null;
    this.globalFirewall = null;
    this.#entered = null;
    this.view.load(head, address.text, forwarded);
  }

  get route(): string {
    return this.destination?.name ?? '';
  }

  get traceId(): string {
    return this.trace === null ? (readTraceParent(this.view.head)?.traceId ?? '') : this.trace.traceId;
  }

  get spanId(): string {
    return this.trace === null ? '' : this.trace.spanId;
  }

  /** The head for a server at `address`, after the rules of the route. */
  encodeRequest(head: RequestHead, forwarded: ForwardedClient, address: Address): string {
    const { rules } = this.destination as CompiledRoute;
    const keepsHost = rules.keepsHost && head.authority !== '';
    const trace = this.trace === null ? '' : this.trace.lines;
    if (!rules.editsRequests) {
      const host = keepsHost ? '' : rules.hostFor(this, address);
      if (this.trace !== null) this.trace.noteTarget(head.originTarget);
      return encodeRequestHead(head, forwarded, this.requestId, host, null, trace);
    }
    if (this.attempt > 1 && rules.countsAttempts) {
      this.requestEdit.clear();
      this.view.budget.allowAll();
      rules.editRequest(this, this.requestEdit);
    }
    // The rules of the head have a work budget of their own.
    this.view.budget.renew();
    const host = keepsHost ? '' : rules.hostFor(this, address);
    if (this.trace !== null) this.trace.noteTarget(this.requestEdit.target || head.originTarget);
    return encodeRequestHead(head, forwarded, this.requestId, host, this.requestEdit, trace);
  }

  /** What is changed about the head of an answer from `server` with that status; null when nothing. */
  editOfResponse(server: Server, status: number): HeadEdit | null {
    const { rules, selector } = this.destination as CompiledRoute;
    const sticky = selector?.sticky ?? null;
    if (!rules.editsResponses && sticky === null && this.proxyName === '') return null;
    this.server = server.name;
    rules.editResponse(this, this.responseEdit);
    sticky?.mark(this, server, this.responseEdit);
    if (this.proxyName !== '') this.#tellStatus(status);
    return this.responseEdit.isEmpty ? null : this.responseEdit;
  }

  /** What rules change about the head of a local reply; null when nothing. */
  editOfLocalReply(status: number): HeadEdit | null {
    const rules = this.destination === null ? this.lostRules : this.destination.rules;
    if (rules?.editsResponses !== true) return null;
    // These may still be set for a server's answer that was refused.
    this.server = '';
    this.responseEdit.clear();
    rules.editLocalReply(this, this.responseEdit, status);
    return this.responseEdit.isEmpty ? null : this.responseEdit;
  }

  /** The page that the client gets in place of an error; null when there is none. `ofServer`: a server has answered. */
  pageFor(status: number, ofServer: boolean): ErrorPage | null {
    const rules = this.destination === null ? this.lostRules : this.destination.rules;
    const pages = rules?.errorPages ?? null;
    return pages === null ? null : pages.pageFor(status, ofServer, this.view.header('accept'));
  }

  /** What the route changes about the head of an error page that replaces a response of `server`; null when nothing. */
  editOfReplaced(server: Server, status: number): HeadEdit | null {
    const { rules, selector } = this.destination as CompiledRoute;
    this.server = server.name;
    rules.editLocalReply(this, this.responseEdit, status);
    selector?.sticky?.mark(this, server, this.responseEdit);
    if (this.proxyName !== '') this.#tellStatus(status);
    return this.responseEdit.isEmpty ? null : this.responseEdit;
  }

  #tellStatus(status: number): void {
    this.responseEdit.append('proxy-status', 'Proxy-Status', statusOfResponse(this.proxyName, status));
  }

  /** The firewalls of the route have let the request in. */
  enter(firewalls: FirewallChain): void {
    this.#entered = firewalls;
  }

  /** Ends the request: releases the slots of the firewalls and reports the status to the ban counters. */
  close(status: number): void {
    const firewalls = this.destination === null ? null : this.destination.firewalls;
    if (this.#entered !== null) this.#entered.leave(this.client);
    if (this.globalFirewall !== null) this.globalFirewall.note(this.client, status);
    if (firewalls !== null) firewalls.note(this.client, status);
    this.#entered = null;
    this.globalFirewall = null;
    this.destination = null;
    this.view.clear();
    if (!this.requestEdit.isEmpty) this.requestEdit.clear();
    if (!this.responseEdit.isEmpty) this.responseEdit.clear();
  }
}

/** Decides for each request how it is handled. */
export interface RequestStages {
  /** Returns null when `context.destination` forwards or answers the request, else the local reply that refuses it. */
  decide(context: RequestContext): LocalReply | null;
  /** The rules for answers to requests that match no host and no route. */
  readonly lostRules: RouteRules;
  /** The name of this balancer in Proxy-Status; empty: there is no such field. */
  readonly proxyName: string;
  /** Has a record the network of its client in place of the address? */
  readonly masksAddresses: boolean;
  /** null: requests are not traced. */
  readonly tracer: Tracer | null;
  /** The client of a request whose peer may be a trusted proxy. */
  clientOf(client: ClientSide): IpAddress;
  /** Called instead of `decide` when the head can't be read; counts the request for `context.client`. */
  noteUnreadable(context: RequestContext): void;
}

/** A compiled route: what is done with requests that match it. Made once per configuration. */
export interface CompiledRoute {
  /** Its name in logs and in `{route}`. */
  readonly name: string;
  /** The servers and how one is chosen; null when the route does not forward. */
  readonly selector: ServerSelector | null;
  /** The fixed response; null when the route forwards. */
  readonly reply: RouteReply | null;
  readonly rules: RouteRules;
  /** The firewalls of the route; null when it has none. */
  readonly firewalls: FirewallChain | null;
  readonly retry: RetryPolicy;
  /** Requests that wait until a server is back; null: none do. */
  readonly hold: HoldLine | null;
  /** null: the route is open. */
  readonly maintenance: Maintenance | null;
  readonly timeouts: TimeoutsConfig;
  /** Bytes of a request body; 0 is no limit. */
  readonly bodyBytes: number;
  /** Fewest bytes of a body per second; 0 is no limit. */
  readonly bodyRate: number;
}

/** A place that serves only some clients while work is done. */
export interface Maintenance {
  /** What a request of the client is answered; null: it is served. */
  judge(client: IpAddress): LocalReply | null;
}

/** The selector in force for a route: after a reload, requests in flight may find all their servers gone. */
export interface CurrentSelector {
  selector: ServerSelector | null;
}

/**
 * Chooses the server for a request of a route: the one that the client is bound to, else the one that the algorithm
 * picks.
 */
export class ServerSelector {
  readonly group: ServerGroup;
  /** null: the algorithm needs nothing of the request. */
  readonly #key: RequestKey | null;
  /** null: clients are not bound to servers. */
  readonly sticky: Sticky | null;
  readonly #route: CurrentSelector;

  /** `route` is shared with the selectors that chose for the same route before. */
  constructor(
    group: ServerGroup,
    key: RequestKey | null,
    sticky: Sticky | null,
    route: CurrentSelector = { selector: null },
  ) {
    this.#route = route;
    this.group = group;
    this.#key = key;
    this.sticky = sticky;
  }

  /** The key that the algorithm uses for this request; `NO_KEY` when it uses none, or the request has none. */
  keyOf(context: RequestFacts): PickKey {
    return this.#key === null ? NO_KEY : this.#key.of(context);
  }

  /**
   * The server for the next attempt, not one of `tried`; null when there is none left. `repeatable`: the request may be
   * sent twice.
   */
  pick(context: RequestFacts, tried: readonly Server[], repeatable: boolean): Server | null {
    if (this.sticky !== null) {
      const bound = this.sticky.serverFor(context, tried, repeatable);
      if (bound !== null) return bound;
    }
    const picked = this.group.pick(this.#key === null ? NO_KEY : this.#key.of(context), tried, repeatable);
    return picked ?? this.#pickOfSuccessor(context, tried, repeatable);
  }

  #pickOfSuccessor(context: RequestFacts, tried: readonly Server[], repeatable: boolean): Server | null {
    const { selector } = this.#route;
    return selector === null || selector === this ? null : selector.pick(context, tried, repeatable);
  }
}

/** Binds clients to servers. */
export interface Sticky {
  /** The server that this client is bound to, not one of `tried`; null when there is none that can serve the request. */
  serverFor(context: RequestFacts, tried: readonly Server[], repeatable: boolean): Server | null;
  /** Tells the client in its final response which server answered, unless the client knows already. */
  mark(context: RequestFacts, server: Server, edit: HeadEdit): void;
}
