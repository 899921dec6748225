import { isIP } from 'node:net';
import { parseAddress } from '../base/address.js';
import { inSlices } from '../base/slices.js';
import { ValueError } from '../base/units.js';
import { forwardingRoutes } from '../config/every-route.js';
import type { Config } from '../config/types.js';
import type { ServerStatus } from '../control/status/status.js';
import { readHeader, readRequest } from '../routing/dry-run/asked-request.js';
import { DryRun } from '../routing/dry-run/dry-run.js';
import type { ServerStanding } from '../routing/dry-run/dry-servers.js';
import { explanationJson } from '../routing/dry-run/explanation-json.js';
import { maskExplanation } from '../routing/dry-run/mask-explanation.js';
import { listenerHost, listenerScheme, requestBytes } from '../routing/dry-run/request-text.js';
import type { AdminTarget } from './admin-target.js';
import { ApiError } from './api-error.js';
import { type Answer, type Call, json } from './call.js';

/**
 * Explains what would happen to a request, by the current configuration and the current state of the servers: `lb
 * explain` for a running balancer.
 */
export class ExplainApi {
  readonly #subject: AdminTarget;
  /** Built when first needed: a configuration with long lists takes a while. */
  #dryRun: DryRun | null = null;
  #dryConfig: Config | null = null;
  /** The servers that it was built with. */
  #dryServers = '';

  constructor(subject: AdminTarget) {
    this.#subject = subject;
  }

  async explain({ query }: Call): Promise<Answer> {
    const { config } = this.#subject;
    const method = query.get('method') ?? 'GET';
    const url = query.get('url');
    const ip = query.get('ip') ?? '127.0.0.1';
    if (url === null)
      throw new ApiError(400, 'bad_request', 'url is missing', {
        hint: 'Ask for /api/explain?method=GET&url=http://www.mango.com/v1, with header=Name:%20value and ip=A.',
      });
    if (isIP(ip) === 0)
      throw new ApiError(
        400,
        'bad_value',
        `ip: expected an address such as 192.0.2.1, got ${JSON.stringify(ip)}`,
      );
    const { host, ...rest } = readAsked(method, url, query.getAll('header'));
    const scheme = rest.scheme ?? listenerScheme(config);
    const request = { ...rest, scheme, host: host ?? listenerHost(config, scheme) };
    const dryRun = await this.#dryRunOf(config);
    dryRun.closeHosts(
      this.#subject
        .maintenances()
        .filter(({ by }) => by === 'operator')
        .map(({ name, ...terms }) => ({ host: name, ...terms })),
    );
    const explanation = dryRun.explain(requestBytes(request), ip, scheme);
    return json(explanationJson({ config, request, explanation: maskExplanation(explanation, request) }));
  }

  async #dryRunOf(config: Config): Promise<DryRun> {
    const status = await inSlices(this.#subject.statusSteps());
    const servers = new Map(status.routes.map(({ name, servers }) => [name, servers.map(standingOf)]));
    const asText = JSON.stringify([...servers]);
    if (this.#dryRun === null || this.#dryConfig !== config || this.#dryServers !== asText) {
      const routeOf = new Map(forwardingRoutes(config).map(({ name, group }) => [group, name]));
      this.#dryRun = new DryRun(
        config,
        (group) => {
          const name = routeOf.get(group);
          return name === undefined ? undefined : servers.get(name);
        },
        this.#subject.bindings,
      );
      this.#dryConfig = config;
      this.#dryServers = asText;
    }
    return this.#dryRun;
  }
}

function standingOf({ name, address, weight, backup, state }: ServerStatus): ServerStanding {
  const stands = state === 'up' || state === 'unchecked' ? 'ready' : state;
  return { name, address: parseAddress(address, { defaultHost: '' }), weight, backup, state: stands };
}

function readAsked(method: string, url: string, headers: readonly string[]): ReturnType<typeof readRequest> {
  try {
    return readRequest(method, url, headers.map(readHeader));
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new ApiError(400, 'bad_value', error.message, { hint: error.hint });
  }
}
