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
import { RequestView } from '../http/request-view.js';
import type { RuleContext } from '../rules/context.js';
import { type Captures, NO_CAPTURES } from '../rules/pattern.js';
import type { RouteReply } from '../rules/route-reply.js';
import type { RouteRules } from '../rules/route-rules.js';
import { NO_KEY, type PickKey } from '../servers/scheduler/scheduler.js';
import type { Server } from '../servers/server.js';
import type { ServerGroup } from '../servers/server-group.js';
import type { RequestFacts, RequestKey } from './request-key.js';
import type { RetryPolicy } from './retries.js';

/** Why a request is answered by the balancer, and how. */
export interface LocalReply {
  readonly status: number;
  readonly reason: Reason;
  /** For the log: which setting objected. */
  readonly detail: string;
  /** Header lines that go with the answer, each with its line end. */
  readonly fields: string;
}

/** What is known of one request while it is decided upon and answered. Used for one request after the other. */
export class RequestContext implements RuleContext {
  readonly view = new RequestView();
  /** Whom it is from, trusted proxies left out. */
  client = IpAddress.unix;
  trustsPeer = false;
  requestId = '';
  captures: Captures = NO_CAPTURES;
  attempt = 1;
  server = '';
  /** How the client's connection is transported. */
  transport: TransportInfo = PLAIN_TRANSPORT;
  /** Where it goes; null until that is decided, and when it goes nowhere. */
  destination: CompiledRoute | null = null;
  readonly requestEdit = new HeadEdit();
  readonly responseEdit = new HeadEdit();
  /** The rules for answers of the balancer's own to a request that has no route. */
  lostRules: RouteRules | null = null;
  /** Before all routes; told how it ended. */
  globalFirewall: Firewall | null = null;
  /** Those of the route, in which it holds a place until the end. */
  #entered: FirewallChain | null = null;

  open(head: RequestHead, forwarded: ForwardedClient, address: IpAddress, requestId: string): void {
    this.client = address;
    this.trustsPeer = forwarded.trusted;
    this.transport = forwarded.transport;
    this.requestId = requestId;
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

  /** The head that a server at `address` gets, as the rules of the route have it. */
  encodeRequest(head: RequestHead, forwarded: ForwardedClient, address: Address): string {
    const { rules } = this.destination as CompiledRoute;
    const keepsHost = rules.keepsHost && head.authority !== '';
    if (!rules.editsRequests) {
      const host = keepsHost ? '' : rules.hostFor(this, address);
      return encodeRequestHead(head, forwarded, this.requestId, host);
    }
    if (this.attempt > 1 && rules.countsAttempts) {
      this.requestEdit.clear();
      this.view.budget.allowAll();
      rules.editRequest(this, this.requestEdit);
    }
    // The head is written with a budget of its own.
    this.view.budget.renew();
    const host = keepsHost ? '' : rules.hostFor(this, address);
    return encodeRequestHead(head, forwarded, this.requestId, host, this.requestEdit);
  }

  /** What the route changes about the head of an answer from `server`; null when it is nothing. */
  editOfResponse(server: Server): HeadEdit | null {
    const { rules, selector } = this.destination as CompiledRoute;
    const sticky = selector?.sticky ?? null;
    if (!rules.editsResponses && sticky === null) return null;
    this.server = server.name;
    rules.editResponse(this, this.responseEdit);
    sticky?.mark(this, server, this.responseEdit);
    return this.responseEdit.isEmpty ? null : this.responseEdit;
  }

  /** What rules change about the head of an answer of the balancer's own; null when it is nothing. */
  editOfLocalReply(status: number): HeadEdit | null {
    const rules = this.destination === null ? this.lostRules : this.destination.rules;
    if (rules?.editsResponses !== true) return null;
    // They may be those of a server's answer that was refused.
    this.server = '';
    this.responseEdit.clear();
    rules.editLocalReply(this, this.responseEdit, status);
    return this.responseEdit.isEmpty ? null : this.responseEdit;
  }

  /** The lines that bind a client to `server` where its answer is no response but a tunnel; empty when there are none. */
  bindingTo(server: Server): string {
    this.destination?.selector?.sticky?.mark(this, server, this.responseEdit);
    return this.responseEdit.rest();
  }

  /** It was let in by the firewalls of its route. */
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

/** Decides once per request what becomes of it. */
export interface RequestStages {
  /** Null: it goes to `context.destination`, or is answered there. Else who objects. */
  decide(context: RequestContext): LocalReply | null;
  /** The rules for answers to requests that have no route, and come to no host. */
  readonly lostRules: RouteRules;
  /** Whom a request is from, if its peer speaks for others. */
  clientOf(client: ClientSide): IpAddress;
  /** In place of `decide`, for a request whose head can't be read, of `context.client`. */
  noteUnreadable(context: RequestContext): void;
}

/** A route made ready: what is done with the requests that end up on it. Made once per configuration. */
export interface CompiledRoute {
  /** What logs and `{route}` call it. */
  readonly name: string;
  /** Who may answer, and who does; null when the route answers by itself. */
  readonly selector: ServerSelector | null;
  /** The route's own answer; null when it forwards. */
  readonly reply: RouteReply | null;
  readonly rules: RouteRules;
  /** The firewalls of the route; null when it has none. */
  readonly firewalls: FirewallChain | null;
  readonly retry: RetryPolicy;
  readonly timeouts: TimeoutsConfig;
  /** Bytes of a request body; 0 is no limit. */
  readonly bodyBytes: number;
  /** Bytes of it a second; 0 is as slow as it likes. */
  readonly bodyRate: number;
}

/** Who chooses for a route now: what is in flight from before a reload may find all its servers gone. */
export interface CurrentSelector {
  selector: ServerSelector | null;
}

/** Who serves the requests of a route: whom the client is bound to, else whom the algorithm of its servers picks. */
export class ServerSelector {
  readonly group: ServerGroup;
  /** null: the algorithm needs nothing of the request. */
  readonly #key: RequestKey | null;
  /** null: clients are bound to no server. */
  readonly sticky: Sticky | null;
  readonly #route: CurrentSelector;

  /** `route` is shared with those that chose for it before. */
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

  /** What the algorithm goes by of this request; `NO_KEY` when it goes by none, or the request has nothing of the kind. */
  keyOf(context: RequestFacts): PickKey {
    return this.#key === null ? NO_KEY : this.#key.of(context);
  }

  /**
   * The server for the next attempt, none of `tried`; null when there is none left. `repeatable`: the request may be
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

/** What keeps clients with their server. */
export interface Sticky {
  /** The server this client is to have, none of `tried`; null when it is bound to none that can serve it. */
  serverFor(context: RequestFacts, tried: readonly Server[], repeatable: boolean): Server | null;
  /** Tells the client which server answered, in its final response, if it does not know. */
  mark(context: RequestFacts, server: Server, edit: HeadEdit): void;
}
