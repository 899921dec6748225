import { Bans } from './bans.js';
import { showCertificates } from './certificates.js';
import { Charts } from './charts.js';
import { ask, follow, hasToken, Refused, tryToken } from './connection.js';
import { askFirst, choices, chosen, field } from './dialogs.js';
import { make, mark, part, say } from './elements.js';
import { Failures } from './failures.js';
import { showFirewall } from './firewall.js';
import { showProviders } from './providers.js';
import { Routes } from './routes.js';
import { showThreads } from './threads.js';
import { Timeline } from './timeline.js';
import { answers, duration, eventWords, listenerText, plural, STATES } from './words.js';

const EVERY_MS = 1000;
const TOAST_MS = 5000;
/** Events that are important enough to interrupt a screen reader. */
const SPOKEN = new Set(['down', 'up', 'ejected', 'returned', 'drained', 'reload_refused']);

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const charts = new Charts(part('charts'), part('traffic-table'));
const failures = new Failures(part('failures'));
const timeline = new Timeline();
const bans = new Bans(part('bans'), liftBan);
const routes = new Routes(part('routes'), { change, events });
part('events').append(timeline.element);

/** When the process that answered last was started. */
let startedAt = 0;
let knownFailures = '';
let toasting = 0;

/** One reading of everything. */
async function look() {
  const status = await ask('/api/status');
  // Another process, perhaps of another version: the page is loaded again.
  if (startedAt !== 0 && status.started_at !== startedAt) location.reload();
  startedAt = status.started_at;
  const [traffic] = await Promise.all([
    ask(`/api/traffic?since=${charts.since}`),
    lookAtFailures(status),
    lookAtBans(status),
  ]);
  charts.add(traffic.points);
  show(status);
}

async function lookAtFailures({ requests: { by_reason: reasons, by_status: statuses } }) {
  const now = JSON.stringify([reasons, statuses['5xx']]);
  if (now === knownFailures) return;
  failures.update((await ask('/api/failures')).failures);
  knownFailures = now;
}

/** Mostly there are none, and nothing is asked for. */
async function lookAtBans({ firewall }) {
  const some = firewall.some(({ bans: number }) => number > 0);
  bans.update(some ? await ask('/api/bans') : { total: 0, bans: [] });
}

async function liftBan(client) {
  const text = 'It is let in again at once, with a clean record.';
  const lifted = await askFirst({ title: `Lift the ban of ${client}?`, text, yes: 'Lift' }, () =>
    ask(`/api/bans/${encodeURIComponent(client)}`, { method: 'DELETE' }),
  );
  if (lifted === null) return;
  toast(`${client} is let in again`);
  await tick();
}

function show(status) {
  const { servers, listeners, uptime_ms: uptime, version, clients, config, access } = status;
  const usable = servers.filter(({ state }) => state === 'up' || state === 'unchecked').length;
  const inUse = `${usable} of ${plural(servers.length, 'server')} in use`;
  document.title = `${usable < servers.length ? '! ' : ''}${usable}/${servers.length} up · lb`;
  say(part('version'), version);
  say(
    part('summary'),
    `${listeners.map(listenerText).join(', ')} · up for ${duration(uptime)} · ${plural(clients, 'client')} connected`,
  );
  say(part('answers'), answers(status.requests.total, status.requests.by_status));
  say(part('servers-aside'), inUse);
  mark(part('servers-aside'), 'data-tone', usable < servers.length ? 'warn' : null);
  showNotice(status);
  routes.update(status.routes);
  showFirewall(part('firewall'), status.firewall);
  showCertificates(status.certificates);
  showProviders(status.providers ?? []);
  showThreads(status.threads);
  // Actions that would be refused are not offered.
  mark(document.documentElement, 'data-access', access);
  part('reload').hidden = config.path === null || access === 'read';
  part('unlock').hidden = access !== 'read';
  part('links').hidden = hasToken();
  showSettings(config);
}

function showNotice({ ready, ready_reasons: reasons, state }) {
  const notice = part('notice');
  const lines = ready ? [] : [state === 'draining' ? 'Stopping.' : 'Not ready.', ...reasons];
  const text = lines.join('\n');
  notice.hidden = ready;
  if (notice.dataset.shown === text) return;
  notice.dataset.shown = text;
  const [first, ...rest] = lines;
  notice.replaceChildren(
    ...(first === undefined
      ? []
      : [make('strong', {}, first), ...rest.map((line) => make('span', {}, line))]),
  );
}

function showSettings({ path, drift }) {
  const from = path === null ? 'Without a settings file.' : `Settings from ${path}.`;
  say(part('settings'), drift.length === 0 ? from : `${from} Not in the file: ${drift.join('; ')}.`);
}

/** The last 100 events of a server. */
async function events(name) {
  try {
    return (await ask(`/api/servers/${encodeURIComponent(name)}`)).events;
  } catch {
    return [];
  }
}

/** A button was pressed. */
async function change(server, what) {
  const put = (body) => ask(`/api/servers/${encodeURIComponent(server.name)}`, { method: 'PATCH', body });
  const changed = await questions[what](server, put);
  if (changed === null) return;
  const { word, meaning } = STATES[changed.state];
  const told = what === 'weight' ? `the weight is ${changed.weight}` : `${word.toLowerCase()}, ${meaning}`;
  toast(`${server.name}: ${told}`);
  await tick();
}

const questions = {
  drain({ name, active, routes: of }, put) {
    const where = of.length > 1 ? ` in all its ${of.length} routes` : '';
    const state = choices('state', 'How', [
      { value: 'drain', label: 'Drain', meaning: 'No new requests; clients bound to it go on.' },
      {
        value: 'maintenance',
        label: 'Maintenance',
        meaning: 'No requests at all, bound clients go to others.',
      },
    ]);
    const text = `It leaves the rotation${where}. ${active === 0 ? 'It has no request now.' : `The ${plural(active, 'request')} on it may finish.`}`;
    return askFirst({ title: `Take ${name} out of service?`, text, yes: 'Take out', fields: [state] }, () =>
      put({ state: chosen('state') }),
    );
  },
  enable({ name }, put) {
    const text = 'It gets its share of new requests again, as soon as its checks pass.';
    return askFirst({ title: `Enable ${name}?`, text, yes: 'Enable' }, () => put({ state: 'ready' }));
  },
  weight({ name, weight }, put) {
    const attributes = {
      type: 'number',
      min: 0,
      max: 256,
      step: 1,
      required: true,
      value: weight,
      inputmode: 'numeric',
    };
    const { input, element } = field('Weight, 0 to 256', attributes);
    const text = 'A server of weight 2 gets twice the requests of one of weight 1; 0 takes none.';
    const act = () => put({ weight: input.valueAsNumber });
    return askFirst({ title: `Weight of ${name}`, text, yes: 'Change', fields: [element] }, act);
  },
};

part('reload').addEventListener('click', async () => {
  const text = 'The settings file is read again, and taken over if all of it is good. No request is lost.';
  const done = await askFirst({ title: 'Reload settings?', text, yes: 'Reload' }, () =>
    ask('/api/reload', { method: 'POST' }),
  );
  if (done !== null) toast(done.message);
});

part('traffic-table')
  .closest('details')
  .addEventListener('toggle', () => charts.fillTable());

function toast(text) {
  const element = part('toast');
  say(element, text);
  element.hidden = false;
  say(part('spoken'), text);
  clearTimeout(toasting);
  toasting = setTimeout(() => {
    element.hidden = true;
  }, TOAST_MS);
}

function tell(event) {
  timeline.add(event);
  routes.tell(event);
  const { subject, text, reason } = eventWords(event);
  if (SPOKEN.has(event.what) && Date.now() - event.at < 5000)
    say(part('spoken'), `${subject} ${text} ${reason}`.trim());
}

/** Reports when the connection is lost and when it is back; not every second. */
function connection(now, text) {
  mark(document.documentElement, 'data-connected', String(now));
  say(part('link-text'), text);
}

let looking = null;

/** One reading at a time; a further call waits for the current one. */
function tick() {
  looking ??= lookOnce().finally(() => {
    looking = null;
  });
  return looking;
}

async function lookOnce() {
  try {
    await look();
    connection(true, document.documentElement.dataset.access === 'read' ? 'Live, read only' : 'Live');
  } catch (error) {
    if (error instanceof Refused && error.status === 401) await askForToken();
    else if (error instanceof Refused) connection(false, `Refused: ${error.message}`);
    else connection(false, 'Connection lost, trying again');
  }
}

async function askForToken() {
  connection(false, 'Token needed');
  const text =
    'This listener shows its figures only with admin.token or admin.read_token of the settings file.';
  const shown = await askToken({ title: 'Token', text, yes: 'Show' }, () => true);
  if (shown !== null) return;
  connection(null, 'Token needed: load the page again to give it');
  await new Promise(() => {});
}

/** Asks for a token until there is one that `suits` what it allows. Resolves with null when the person cancels. */
function askToken(question, suits) {
  const attributes = { type: 'password', required: true, autocomplete: 'current-password' };
  const { input, element } = field('Token', attributes);
  return askFirst({ ...question, fields: [element] }, () => tryToken(input.value, suits));
}

part('unlock').addEventListener('click', async () => {
  const text = 'The token you came with shows everything and changes nothing. Changes take admin.token.';
  await askToken({ title: 'Unlock changes', text, yes: 'Unlock' }, (access) => access === 'change');
  await tick();
});

async function run() {
  void follow(tell, pause);
  for (;;) {
    // The page is hidden: nothing is asked.
    if (document.visibilityState === 'visible') await tick();
    await pause(EVERY_MS);
  }
}

document.addEventListener('visibilitychange', () => void tick());
void run();
