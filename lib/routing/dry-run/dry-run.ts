import { isIP } from 'node:net';
import { parseIpAddress } from '../../base/ip-address.js';
import { PLAIN_TRANSPORT, type Scheme, type TransportInfo } from '../../base/transport-info.js';
import { asksReadiness } from '../../client/readiness-reply.js';
import { everyRoute } from '../../config/every-route.js';
import type { Config, FirewallConfig, RouteConfig } from '../../config/types.js';
import { type CompiledRoute, RequestContext, type ServerSelector } from '../../exchange/context.js';
import { RequestTrace } from '../../exchange/request-trace.js';
import type { StickyMemory } from '../../exchange/sticky-memory.js';
import type { Firewall, GuardOpinion } from '../../firewall/firewall.js';
import type { ClientSide } from '../../http/flow.js';
import { ForwardedClient } from '../../http/forwarded.js';
import { receivedRequestId } from '../../http/head-encoder.js';
import { encodeRouteReply } from '../../http/replies.js';
import { RequestParser } from '../../http/request-parser.js';
import type { ErrorPage } from '../../rules/error-pages.js';
import { httpsRedirect } from '../../rules/https-redirect.js';
import type { Captures } from '../../rules/pattern.js';
import type { RouteReply } from '../../rules/route-reply.js';
import type { RouteRules } from '../../rules/route-rules.js';
import { NO_KEY } from '../../servers/scheduler/scheduler.js';
import type { Server } from '../../servers/server.js';
import { type HostMaintenance, HostMaintenances } from '../host-maintenance.js';
import type { RoutingSnapshot } from '../routing-snapshot.js';
import { SnapshotBuilder } from '../snapshot-builder.js';
import { DryClock } from './dry-clock.js';
import { dryServers, type Standings } from './dry-servers.js';
import type { DryRunOutcome, Forwarded, Refused, Replied } from './outcome.js';
import { listenerFor } from './request-text.js';
import { type RuleStep, ruleSteps } from './rule-steps.js';
import { type Absence, explainAbsence, type PassedOver, passedOver } from './way.js';

/** Replaces a random id, so that the same request always produces the same head. */
const REQUEST_ID = '00000000000000000000000000000000';

/** The results of the guards of one firewall, up to the first refusal. */
export interface FirewallOpinions {
  readonly firewall: FirewallConfig;
  readonly opinions: readonly GuardOpinion[];
}

/** The way of one request, stage by stage. */
export interface Explanation {
  readonly outcome: DryRunOutcome;
  /** The client's address as text. */
  readonly client: string;
  /** Is the peer trusted, so that its X-Forwarded-* are believed? */
  readonly trustsPeer: boolean;
  /** The firewalls that were asked, in order. */
  readonly firewalls: readonly FirewallOpinions[];
  /** Conditional routes whose conditions were not met. */
  readonly passedOver: readonly PassedOver[];
  /** What the balancer itself and each rule changes in the head; empty unless the request is forwarded. */
  readonly steps: readonly RuleStep[];
  /** Why no route was found; null when one was, or none was looked for. */
  readonly absence: Absence | null;
  /** The error page that the client gets when it is refused; null: the short text. */
  readonly page: Pick<ErrorPage, 'contentType' | 'file'> | null;
}

/** How far a request got. */
interface Passage {
  readonly outcome: DryRunOutcome;
  readonly destination: CompiledRoute | null;
  readonly captures: Captures;
  readonly page: ErrorPage | null;
  /** The firewalls that the request passed or was refused by, the one before all routes first. */
  readonly firewalls: readonly Firewall[];
}

/**
 * Requests that are not sent: shows what a configuration would do with them, through the same parser, firewalls, router,
 * rules and encoders as live requests. No socket is opened and no timer runs. Each request finds the firewalls in their
 * initial state, and every server up unless `standings` say otherwise.
 */
export class DryRun {
  readonly #config: Config;
  readonly #clock = new DryClock();
  readonly #snapshot: RoutingSnapshot;
  readonly #routes: ReadonlyMap<string, RouteConfig>;
  readonly #context = new RequestContext();
  /** Are the servers those of a running balancer? */
  readonly #isLive: boolean;

  /** `memory`: which servers clients are bound to; without it no client is bound. It is only read. */
  constructor(config: Config, standings?: Standings, memory: StickyMemory | null = null) {
    this.#config = config;
    this.#isLive = standings !== undefined;
    this.#routes = new Map(everyRoute(config).map((route) => [route.name, route]));
    const servers = dryServers(this.#clock, standings);
    this.#snapshot = SnapshotBuilder.build(config, { clock: this.#clock, serversOf: servers, memory });
  }

  /** The hosts that operators have put into maintenance. */
  closeHosts(list: readonly HostMaintenance[]): void {
    this.#snapshot.setMaintenances(HostMaintenances.of(list, this.#clock));
  }

  /**
   * The outcome of a request; `request` is a complete head as sent on the wire, `peer` the address it comes from. With
   * `https` it comes on a connection whose SNI is the host of the request.
   */
  send(request: Buffer, peer: string, scheme: Scheme = 'http'): DryRunOutcome {
    return this.#parse(
      request,
      peer,
      scheme,
      (client) => this.#pass(client).outcome,
      (outcome) => outcome,
    );
  }

  /** The outcome of a request, and every step that led to it. */
  explain(request: Buffer, peer: string, scheme: Scheme = 'http'): Explanation {
    const nothing = { firewalls: [], passedOver: [], steps: [], absence: null, page: null };
    return this.#parse<Explanation>(
      request,
      peer,
      scheme,
      (client) => this.#explain(client),
      (outcome, { address, trusted }) => ({ outcome, client: address, trustsPeer: trusted, ...nothing }),
    );
  }

  #parse<T>(
    request: Buffer,
    peer: string,
    scheme: Scheme,
    accepted: (client: ClientSide) => T,
    refused: (outcome: Refused, forwarded: ForwardedClient) => T,
  ): T {
    const { headerBytes, headers, uriBytes } = this.#config.limits;
    const parser = new RequestParser({ headBytes: headerBytes, fields: headers, targetBytes: uriBytes });
    // In the spelling that sockets return.
    const address = parseIpAddress(peer)?.text ?? peer;
    const { trusted, tellsForwarded, tellsVia } = this.#snapshot;
    const forwardedBy = (transport: TransportInfo): ForwardedClient =>
      new ForwardedClient(address, trusted.has(address), tellsForwarded, tellsVia, transport);
    try {
      parser.readHead(request, 0, request.length);
      if (parser.refusal !== null)
        return refused(
          { kind: 'refused', ...parser.refusal, atAccept: false, route: null },
          forwardedBy(PLAIN_TRANSPORT),
        );
      if (!parser.complete) throw new Error('a dry run needs a whole head');
      // Deciding needs only the head and the client's address; no answer is sent.
      const forwarded = forwardedBy(transportOf(scheme, parser.head.authority, this.#config));
      return accepted({ head: parser.head, forwarded } as ClientSide);
    } finally {
      parser.reset();
    }
  }

  #pass(client: ClientSide): Passage {
    const context = this.#context;
    this.#clock.leap();
    this.#open(client);
    const atAccept = this.#refusedAtAccept(client);
    const { readinessPath } = this.#config;
    const asksUs = readinessPath !== null && asksReadiness(client.head, readinessPath);
    const redirected = atAccept === null && !asksUs ? this.#redirectToHttps(client) : null;
    const isDecided = atAccept !== null || asksUs || redirected !== null;
    const objection = isDecided ? null : this.#snapshot.pipeline.decide(context);
    const { globalFirewall, destination, captures } = context;
    const route = this.#routes.get(context.route) ?? null;
    let outcome: DryRunOutcome;
    if (atAccept !== null) outcome = atAccept;
    else if (asksUs) outcome = { kind: 'readiness', status: 200, route: null };
    else if (redirected !== null) outcome = redirected;
    else if (objection !== null) outcome = { kind: 'refused', ...objection, atAccept: false, route };
    else outcome = this.#follow(client, route as RouteConfig, destination as CompiledRoute);
    const first = atAccept === null ? globalFirewall : this.#snapshot.firewall;
    const firewalls = [...(first === null ? [] : [first]), ...(destination?.firewalls?.firewalls ?? [])];
    const page = outcome.kind === 'refused' ? context.pageFor(outcome.status, false) : null;
    context.close(outcome.kind === 'forwarded' ? 200 : outcome.status);
    return { outcome, destination, captures, firewalls, page };
  }

  #open(client: ClientSide): void {
    const { head, forwarded } = client;
    const requestId = receivedRequestId(head, forwarded) || REQUEST_ID;
    const { pipeline } = this.#snapshot;
    this.#context.open(head, forwarded, pipeline.clientOf(client), requestId);
    if (pipeline.tracer === null) return;
    const trace = new RequestTrace();
    pipeline.tracer.begin(trace, head, forwarded.trusted);
    trace.showAsExample(pipeline.tracer.samplesAll);
    this.#context.trace = trace;
  }

  /** Asks the firewall as the acceptor does. Skipped for a trusted peer: its client is known only from the head. */
  #refusedAtAccept({ forwarded }: ClientSide): Refused | null {
    const { firewall } = this.#snapshot;
    if (firewall === null || forwarded.trusted) return null;
    const { refused, status, guard, firewall: name } = firewall.judgeAccept(forwarded.peer);
    if (!refused) {
      firewall.leave(forwarded.peer);
      return null;
    }
    const detail = `${name}: ${guard}`;
    return { kind: 'refused', reason: 'blocked_ip', status, detail, atAccept: true, route: null };
  }

  /** null: it came to no listener that redirects. */
  #redirectToHttps({ head }: ClientSide): Replied | Refused | null {
    const context = this.#context;
    if (context.view.scheme === 'https') return null;
    if (listenerFor(this.#config, 'http')?.redirect !== 'https') return null;
    if (context.view.host === '') {
      const detail = 'no Host to redirect to https';
      return { kind: 'refused', reason: 'bad_request', status: 400, detail, atAccept: false, route: null };
    }
    const first = this.#config.listen.find(({ tls }) => tls !== null)?.address;
    const reply = httpsRedirect(first?.kind === 'tcp' ? first.port : 443, head.method);
    return this.#reply(reply, this.#snapshot.pipeline.lostRules, null);
  }

  #reply(reply: RouteReply, rules: RouteRules, route: RouteConfig | null): Replied {
    const context = this.#context;
    const edit = context.responseEdit;
    reply.edit(context, edit);
    rules.editRouteReply(context, edit, reply.status);
    const form = { framing: 'length', keepAlive: true, oldClient: false } as const;
    const text = encodeRouteReply(reply.status, reply.body, edit, form, true, this.#clock.wall());
    const location = /\r\nLocation: ([^\r]*)/i.exec(text)?.[1] ?? null;
    return { kind: 'replied', status: reply.status, location, head: text, body: reply.body, route };
  }

  #follow(client: ClientSide, route: RouteConfig, destination: CompiledRoute): DryRunOutcome {
    const { selector, reply, rules } = destination;
    if (reply !== null) return this.#reply(reply, rules, route);
    return this.#forward(client, route, selector as ServerSelector);
  }

  #forward(client: ClientSide, route: RouteConfig, selector: ServerSelector): Forwarded | Refused {
    const context = this.#context;
    const bound = selector.sticky?.serverFor(context, [], true) ?? null;
    const settled =
      bound === null && this.#isSettled(route, selector) ? selector.pick(context, [], true) : null;
    const servers = selector.group.servers;
    const server = bound ?? settled ?? firstUsable(servers);
    if (server === null)
      return {
        kind: 'refused',
        reason: 'no_server',
        status: 503,
        detail: servers.length === 0 ? 'no source has reported a server' : '',
        atAccept: false,
        route,
      };
    const why = bound !== null ? 'bound' : settled !== null ? 'settled' : 'open';
    const head = context.encodeRequest(client.head, client.forwarded, server.address);
    return { kind: 'forwarded', servers, server, choice: why, head, route };
  }

  /** Does the request alone determine its server? */
  #isSettled({ action }: RouteConfig, selector: ServerSelector): boolean {
    if (!this.#isLive && action.kind === 'forward' && action.group.providers.length > 0) return false;
    if (selector.keyOf(this.#context) !== NO_KEY) return true;
    return action.kind === 'forward' && action.group.algorithm.name === 'first';
  }

  #explain(client: ClientSide): Explanation {
    const { outcome, firewalls, destination, captures, page } = this.#pass(client);
    const config = this.#config;
    const context = this.#context;
    // The slots are released and the tokens refilled: guards are asked as if the request had not been there.
    this.#clock.leap();
    this.#open(client);
    context.destination = destination;
    context.captures = captures;
    const { view } = context;
    const lost = outcome.kind === 'refused' && outcome.reason === 'no_route';
    const server = outcome.kind === 'forwarded' ? outcome.server : null;
    const explanation: Explanation = {
      outcome,
      client: context.client.text,
      trustsPeer: context.trustsPeer,
      firewalls: this.#opinions(firewalls, outcome.route),
      passedOver: lost || outcome.route !== null ? passedOver(config, view, outcome.route) : [],
      steps: server && outcome.route ? ruleSteps(outcome.route.rules, server, context, client.forwarded) : [],
      absence: lost ? explainAbsence(config, view) : null,
      page: page === null ? null : { contentType: page.contentType, file: page.file },
    };
    context.close(0);
    return explanation;
  }

  #opinions(firewalls: readonly Firewall[], route: RouteConfig | null): FirewallOpinions[] {
    const configs = [
      ...(this.#config.firewall === null ? [] : [this.#config.firewall]),
      ...(route?.firewalls ?? []),
    ];
    const { view, client } = this.#context;
    const known: FirewallOpinions[] = [];
    for (const firewall of firewalls) {
      const config = configs.find(({ name }) => name === firewall.name) as FirewallConfig;
      const opinions = firewall.explain(view, client);
      known.push({ firewall: config, opinions });
      if (config.mode === 'enforce' && opinions.some(({ status }) => status !== 0)) break;
    }
    return known;
  }
}

/** Where any server would do: the same one for every request. */
function firstUsable(servers: readonly Server[]): Server | null {
  const usable = servers.filter(({ isUsable }) => isUsable);
  return usable.find(({ backup }) => !backup) ?? usable[0] ?? null;
}

/** The connection on which a client would ask for `authority`. */
function transportOf(scheme: Scheme, authority: string, config: Config): TransportInfo {
  const host = authority.replace(/:\d+$/, '').toLowerCase();
  // RFC 6066, 3: SNI carries no addresses.
  const isName = host !== '' && isIP(host.replace(/^\[|\]$/g, '')) === 0;
  const listener = listenerFor(config, scheme);
  const port = listener?.address.kind === 'tcp' ? listener.address.port : 0;
  return { ...PLAIN_TRANSPORT, scheme, port, sni: scheme === 'https' && isName ? host : null };
}
