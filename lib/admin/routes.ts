import { readFileSync } from 'node:fs';
import { inSlices } from '../base/slices.js';
import type { RouteStatus, ServerStatus } from '../control/status/status.js';
import type { Failures } from '../observe/failures.js';
import type { AdminDeps, AdminTarget } from './admin-target.js';
import { ApiError } from './api-error.js';
import type { Role } from './authorization.js';
import { type AdminRoute, type Answer, type Call, json, jsonInSlices, readObject, text } from './call.js';
import { configView, snakeCase } from './config-view.js';
import type { EventStream } from './event-stream.js';
import { ExplainApi } from './explain-api.js';
import { MaintenanceApi } from './maintenance-api.js';
import type { Page } from './page.js';
import type { RequestTail } from './request-tail.js';
import { ServersApi } from './servers-api.js';
import type { Traffic } from './traffic.js';
import { ViewApi } from './view-api.js';

/** Bytes of requests that failed in an answer: with the meanings of all reasons it has less than 20 KB. */
const FAILURES_BYTES = 8 * 1024;

/** What the listener shows. */
export interface RouteDeps {
  readonly subject: AdminTarget;
  readonly services: AdminDeps;
  readonly traffic: Traffic;
  readonly failures: Failures;
  readonly events: EventStream;
  readonly tail: RequestTail;
  readonly page: Page;
}

/** All requests that the API answers; `openapi.json` describes the same. */
export function adminRoutes(exhibits: RouteDeps): readonly AdminRoute[] {
  const { subject, services, traffic, failures, events, tail, page } = exhibits;
  const servers = new ServersApi(subject);
  const explain = new ExplainApi(subject);
  const maintenance = new MaintenanceApi(subject);
  const views = new ViewApi(subject, traffic);
  const since = (query: URLSearchParams): number => Number(query.get('since')) || 0;
  return [
    { method: 'GET', path: '/', access: 'open', handle: () => page.answer },
    { method: 'GET', path: '/livez', access: 'open', handle: () => text('ok\n') },
    {
      method: 'GET',
      path: '/readyz',
      access: 'open',
      handle: ({ role }) => readiness(subject, role),
    },
    {
      method: 'GET',
      path: '/metrics',
      access: 'token',
      handle: async () => {
        await subject.collectFigures();
        return { status: 200, ...(await services.metrics()) };
      },
    },
    {
      method: 'GET',
      path: '/api/status',
      access: 'token',
      handle: ({ role }) => statusAnswer(subject, role),
    },
    { method: 'GET', path: '/api/view', access: 'token', handle: (call) => views.read(call) },
    { method: 'GET', path: '/api/servers', access: 'token', handle: () => servers.list() },
    { method: 'POST', path: '/api/servers', access: 'token', handle: (call) => servers.add(call) },
    { method: 'GET', path: '/api/servers/{name}', access: 'token', handle: (call) => servers.one(call) },
    { method: 'PATCH', path: '/api/servers/{name}', access: 'token', handle: (call) => servers.change(call) },
    {
      method: 'DELETE',
      path: '/api/servers/{name}',
      access: 'token',
      handle: (call) => servers.remove(call),
    },
    { method: 'GET', path: '/api/bans', access: 'token', handle: () => json(snakeCase(subject.bans())) },
    {
      method: 'DELETE',
      path: '/api/bans/{name}',
      access: 'token',
      handle: ({ name }) => json({ client: name, rules: subject.unban(name) }),
    },
    { method: 'GET', path: '/api/maintenance', access: 'token', handle: () => maintenance.list() },
    { method: 'POST', path: '/api/maintenance', access: 'token', handle: (call) => maintenance.begin(call) },
    {
      method: 'DELETE',
      path: '/api/maintenance/{name}',
      access: 'token',
      handle: (call) => maintenance.end(call),
    },
    {
      method: 'GET',
      path: '/api/config',
      access: 'token',
      handle: () => jsonInSlices(subject.config, configView),
    },
    { method: 'POST', path: '/api/reload', access: 'token', handle: () => reload(services) },
    { method: 'POST', path: '/api/upgrade', access: 'token', handle: (call) => upgrade(services, call) },
    {
      method: 'GET',
      path: '/api/certificates',
      access: 'token',
      handle: () => json({ certificates: snakeCase(subject.certificates()) }),
    },
    {
      method: 'POST',
      path: '/api/certificates/reload',
      access: 'token',
      handle: async () => json(snakeCase(await subject.reloadCertificates())),
    },
    { method: 'GET', path: '/api/events', access: 'token', handle: (call) => events.open(call) },
    { method: 'GET', path: '/api/tail', access: 'token', handle: (call) => tail.open(call) },
    {
      method: 'GET',
      path: '/api/traffic',
      access: 'token',
      handle: ({ query }) => json({ step_ms: 1000, points: traffic.points(since(query)) }),
    },
    {
      method: 'GET',
      path: '/api/failures',
      access: 'token',
      handle: ({ query }) => {
        const reason = query.get('reason');
        const list = reason === null ? failures.list(FAILURES_BYTES) : failures.listOf(reason);
        return json({ failures: snakeCase(list) });
      },
    },
    { method: 'GET', path: '/api/explain', access: 'token', handle: (call) => explain.explain(call) },
    {
      method: 'GET',
      path: '/api/openapi.json',
      access: 'open',
      handle: () => ({ status: 200, type: 'application/json', body: openApiText() }),
    },
  ];
}

/** 503 makes a balancer in front stop sending requests; the reasons are only for authorized callers. */
function readiness(subject: AdminTarget, role: Role): Answer {
  const { readyReasons } = subject;
  if (readyReasons.length === 0) return text('ready\n');
  const told = role === 'stranger' ? [] : readyReasons;
  return text(`not ready\n${told.map((reason) => `${reason}\n`).join('')}`, 503);
}

/** Without the events of each server, which `/api/servers` has: this is asked for every second. */
async function statusAnswer(subject: AdminTarget, role: Role): Promise<Answer> {
  await subject.collectFigures();
  const status = await inSlices(subject.statusSteps());
  return jsonInSlices({ ...status, access: role === 'operator' ? 'change' : 'read' }, (value, key) => {
    if (key === 'servers') return brief(value as ServerStatus);
    if (key !== 'routes') return value;
    const route = value as RouteStatus;
    return { ...route, servers: route.servers.map(brief) };
  });
}

function brief({ events, ...rest }: ServerStatus): Omit<ServerStatus, 'events'> {
  return rest;
}

async function reload({ reload: read }: AdminDeps): Promise<Answer> {
  if (read === null)
    throw new ApiError(409, 'no_file', 'there is no settings file to read again', {
      hint: 'Start lb with -c FILE.',
    });
  const { ok, message, report } = await read();
  if (ok) return json({ ok, message });
  throw new ApiError(422, 'bad_config', message, {
    hint: 'The previous settings stay in force.',
    details: report,
  });
}

/** The longest that a caller may have a new program take, in ms. */
const MOST_PATIENCE = 600_000;

async function upgrade({ upgrade: run = null }: AdminDeps, { request }: Call): Promise<Answer> {
  if (run === null)
    throw new ApiError(409, 'cannot_upgrade', 'this balancer is part of another program', {
      hint: 'That program has to start the new one.',
    });
  const outcome = await run(await patienceIn(request));
  if (outcome.ok) return json(outcome);
  const { code, message, report } = outcome;
  const failed = code === 'upgrade_failed';
  throw new ApiError(failed ? 422 : 409, code, message, {
    hint: failed ? 'The old program goes on.' : '',
    details: report === '' ? '' : `${report}\n`,
  });
}

/** A body is not needed; undefined without `timeout_ms`. */
async function patienceIn(request: Call['request']): Promise<number | undefined> {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
  if (length === '0' && coding === undefined) return undefined;
  const { timeout_ms: ms, ...others } = await readObject(request);
  const isGood =
    ms === undefined || (Number.isInteger(ms) && (ms as number) > 0 && (ms as number) <= MOST_PATIENCE);
  if (isGood && Object.keys(others).length === 0) return ms as number | undefined;
  throw new ApiError(400, 'bad_value', `timeout_ms is a whole number from 1 to ${MOST_PATIENCE}`, {
    hint: 'Nothing else can be said.',
  });
}

/** The file lies in `lib/admin/` of the package; this module runs from `dist/lib/admin/`. */
const file = new URL('../../../lib/admin/openapi.json', import.meta.url);

let description: string | undefined;

/** The description of the API, OpenAPI 3.1. */
export function openApiText(): string {
  description ??= readFileSync(file, 'utf8');
  return description;
}
