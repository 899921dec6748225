import { placeJson } from '../../config/sources.js';
import type { AlgorithmConfig, Config } from '../../config/types.js';
import { readUtf8 } from '../../http/percent.js';
import { algorithmOf, describeKey } from './algorithm-text.js';
import type { Explanation } from './dry-run.js';
import type { DryRunOutcome, Forwarded } from './outcome.js';
import type { RequestParts } from './request-text.js';

/** A request, and its outcome under a configuration. */
export interface ExplainedRequest {
  readonly config: Config;
  readonly request: RequestParts;
  readonly explanation: Explanation;
}

/** An explanation for programs: what `lb explain --json` prints and `/api/explain` returns. */
export function explanationJson({ config, request, explanation }: ExplainedRequest): object {
  const { outcome, client, trustsPeer, firewalls, passedOver, steps, absence, page } = explanation;
  const { route } = outcome;
  const { included } = config;
  return {
    request,
    listen: config.listen.map(({ address }) => address.text),
    client,
    trusted_peer: trustsPeer,
    firewalls: firewalls.map(({ firewall: { name, line, mode }, opinions }) => ({
      name,
      ...placeJson(line, included),
      mode,
      guards: opinions,
    })),
    passed_over: passedOver.map(({ route: { name, line }, unmet }) => ({
      route: name,
      ...placeJson(line, included),
      unmet,
    })),
    route: route === null ? null : { name: route.name, ...placeJson(route.line, included) },
    steps,
    absence,
    error_page: page === null ? null : { content_type: page.contentType, file: page.file },
    outcome: outcomeJson(outcome),
  };
}

function outcomeJson(outcome: DryRunOutcome): object {
  switch (outcome.kind) {
    case 'forwarded':
      return forwardedJson(outcome);
    case 'replied': {
      const { kind, status, location, head, body } = outcome;
      const to = location === null ? null : readUtf8(location);
      return { kind, status, location: to, head: readUtf8(head), body: readUtf8(body) };
    }
    case 'readiness':
      return { kind: outcome.kind, status: outcome.status };
    case 'refused': {
      const { kind, status, reason, detail, atAccept } = outcome;
      return { kind, status, reason, detail, at_accept: atAccept };
    }
  }
}

function forwardedJson({ kind, servers, choice, server, head, route }: Forwarded): object {
  const algorithm = algorithmOf(route);
  const sticky =
    route.sticky === null ? null : [route.sticky.kind, route.sticky.name].filter(Boolean).join('.');
  return {
    kind,
    servers: servers.map(({ name, address, weight, backup, obstacle }) => ({
      name,
      address: address.text,
      weight,
      backup,
      left_out: obstacle === '' ? null : obstacle,
    })),
    ...(algorithm === null ? {} : { algorithm: algorithm.name, on: keyText(algorithm) }),
    sticky,
    choice,
    server: server.name,
    head: readUtf8(head),
  };
}

function keyText({ on }: AlgorithmConfig): string | null {
  return on === null ? null : describeKey(on);
}
