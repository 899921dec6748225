import { dirname } from 'node:path';
import { loadConfig } from '../config/config.js';
import { renderProblems } from '../config/problems.js';
import type { AlgorithmConfig, Config } from '../config/types.js';
import { DryRun } from '../dry-run/dry-run.js';
import type { Outcome } from '../dry-run/outcome.js';
import { requestBytes } from '../dry-run/request-text.js';
import { readUtf8 } from '../http/percent.js';
import { describeKey } from './algorithm-text.js';
import type { ExplainOptions } from './args.js';
import type { Terminals } from './check.js';
import { algorithmOf } from './explain-servers.js';
import { type Explained, renderWay } from './explain-way.js';
import type { Paint } from './paint.js';
import { DEFAULT_FILE, PlanError, problemPaint, readConfig } from './plan.js';

/** Shows the way of a request that is not sent. Returns the exit code: 1 when the configuration cannot be used. */
export function explain(options: ExplainOptions, { stdout, stderr }: Terminals): number {
  const file = options.configFile ?? DEFAULT_FILE;
  let config: Config;
  try {
    config = load(file, stderr.paint);
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    stderr.write(error.report);
    return 1;
  }
  const { host, ...rest } = options.request;
  const request = { ...rest, host: host ?? listenerHost(config) };
  const explanation = new DryRun(config).explain(requestBytes(request), options.ip);
  const explained = { file, config, request, peer: options.ip, explanation };
  stdout.write(
    options.json ? `${JSON.stringify(toJson(explained), null, 2)}\n` : renderWay(explained, stdout.paint),
  );
  return 0;
}

function load(file: string, paint: Paint): Config {
  const text = readConfig(file);
  const result = loadConfig(text, { directory: dirname(file) });
  if (result.ok) return result.config;
  throw new PlanError(renderProblems(result.problems, { file, text, paint: problemPaint(paint) }));
}

/** What a request for a mere path asks for, as curl on this machine would. */
function listenerHost({ listen }: Config): string {
  const tcp = listen.find((address) => address.kind === 'tcp');
  return tcp === undefined || tcp.port === 80 ? 'localhost' : `localhost:${tcp.port}`;
}

function toJson({ file, config, request, explanation }: Explained): object {
  const { outcome, client, trustsPeer, firewalls, passedOver, steps, absence } = explanation;
  const { route } = outcome;
  return {
    file,
    request,
    listen: config.listen.map(({ text }) => text),
    client,
    trusted_peer: trustsPeer,
    firewalls: firewalls.map(({ firewall: { name, line, mode }, opinions }) => ({
      name,
      line,
      mode,
      guards: opinions,
    })),
    passed_over: passedOver.map(({ route: { name, line }, unmet }) => ({ route: name, line, unmet })),
    route: route === null ? null : { name: route.name, line: route.line },
    steps,
    absence,
    outcome: outcomeJson(outcome),
  };
}

function outcomeJson(outcome: Outcome): object {
  switch (outcome.kind) {
    case 'forwarded': {
      const { kind, choice, server, head, route } = outcome;
      const servers = outcome.servers.map(({ name, address, weight, backup, obstacle }) => ({
        name,
        address: address.text,
        weight,
        backup,
        left_out: obstacle === '' ? null : obstacle,
      }));
      const algorithm = algorithmOf(route);
      const sticky = route.sticky === null ? null : `${route.sticky.kind}.${route.sticky.name}`;
      const by = algorithm === null ? {} : { algorithm: algorithm.name, on: keyText(algorithm) };
      return { kind, servers, ...by, sticky, choice, server: server.name, head: readUtf8(head) };
    }
    case 'replied': {
      const { kind, status, location, head, body } = outcome;
      const to = location === null ? null : readUtf8(location);
      return { kind, status, location: to, head: readUtf8(head), body: readUtf8(body) };
    }
    case 'refused': {
      const { kind, status, reason, detail, atAccept } = outcome;
      return { kind, status, reason, detail, at_accept: atAccept };
    }
  }
}

function keyText({ on }: AlgorithmConfig): string | null {
  return on === null ? null : describeKey(on);
}
