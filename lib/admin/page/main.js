import { Charts } from './charts.js';
import { ask, hasToken, Refused, tryToken } from './connection.js';
import { askFirst, field } from './dialogs.js';
import { mark, part, say } from './elements.js';
import { Failures } from './failures.js';
import { Focus } from './focus.js';
import { showNotices } from './notices.js';
import { Place } from './place.js';
import { askToEndMaintenance, askToLift, askToReload, changeServer } from './questions.js';
import { Sections } from './sections.js';
import { Store } from './store.js';
import { Timeline } from './timeline.js';
import { nothingText, serversText, Toolbar } from './toolbar.js';
import { Tree } from './tree.js';
import {
  answers,
  duration,
  eventWords,
  listenerText,
  plural,
  STATES,
  serverNow,
  setServerTime,
  setUptime,
} from './words.js';

const EVERY_MS = 1000;
const TOAST_MS = 5000;
/** Failed requests are asked for at most this often: they are the longest of all answers. */
const FAILURES_MS = 3000;
/** Events that are important enough to interrupt a screen reader. */
const SPOKEN = new Set(['down', 'up', 'ejected', 'returned', 'drained', 'reload_refused']);

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const store = new Store();
const place = new Place(() => void tick());
const charts = new Charts(part('charts'), part('traffic-table'));
const failures = new Failures(part('failures'), failuresOf);
const timeline = new Timeline();
const toolbar = new Toolbar(place);
const tree = new Tree(part('routes'), {
  change,
  toggle: (route, isFolded) => place.toggleRoute(route, isFolded),
});
const focus = new Focus(part('focus'), { change });
const sections = new Sections(part('sections'), {
  toggle: (name, isOpen) => place.toggleSection(name, isOpen),
  liftBan,
  endMaintenance,
});
part('events').append(timeline.element);

/** When the process that answered last was started. */
let startedAt = 0;
let knownFailures = '';
let failuresAt = 0;
let toasting = 0;

/** Asks for what is looked at, or what has changed of it. */
async function look() {
  const asked = place.params.toString();
  const params = place.params;
  params.set('since', store.version);
  params.set('traffic', String(charts.since));
  params.set('events', String(timeline.lastId));
  const answer = await ask(`/api/view?${params}`);
  store.apply(answer);
  // Another process, perhaps of another version: the page is loaded again.
  if (startedAt !== 0 && store.facts.started_at !== startedAt) location.reload();
  startedAt = store.facts.started_at;
  if (answer.traffic.length > 0) {
    setServerTime(answer.traffic.at(-1).at);
    charts.add(answer.traffic);
  }
  for (const event of answer.events) tell(event);
  show(answer.access);
  await lookAtFailures(store.facts);
  // The reader has gone elsewhere meanwhile.
  if (asked !== place.params.toString()) await look();
}

async function lookAtFailures({ by_reason: reasons, by_status: statuses }) {
  const now = JSON.stringify([reasons, statuses['5xx']]);
  if (now === knownFailures || place.isAlone || Date.now() - failuresAt < FAILURES_MS) return;
  failuresAt = Date.now();
  failures.update((await ask('/api/failures')).failures);
  knownFailures = now;
}

/** All requests that are kept of a reason; the list of all reasons has only as many as fit. */
async function failuresOf(reason) {
  return (await ask(`/api/failures?reason=${encodeURIComponent(reason)}`)).failures[0]?.requests ?? [];
}

function show(access) {
  const { facts } = store;
  const { servers, usable, listeners, started_at: started, version, instance, clients, config } = facts;
  document.title = `${usable < servers ? '! ' : ''}${usable}/${servers} up · ${instance} · lb`;
  say(part('version'), version);
  say(part('instance'), instance);
  const listening = listeners.map(listenerText);
  const more = listening.length > 3 ? ` and ${listening.length - 3} more` : '';
  setUptime(serverNow() - started);
  const uptime = duration(serverNow() - started);
  say(
    part('summary'),
    `${listening.slice(0, 3).join(', ')}${more} · up for ${uptime} · ${plural(clients, 'client')} connected`,
  );
  say(part('answers'), answers(facts.requests, facts.by_status));
  say(part('servers-aside'), serversText(facts));
  mark(part('servers-aside'), 'data-tone', usable < servers ? 'warn' : null);
  showNotices(facts);
  showRoutes(facts);
  sections.update(store);
  // Actions that would be refused are not offered.
  mark(document.documentElement, 'data-access', access);
  part('reload').hidden = config.path === null || access === 'read';
  part('unlock').hidden = access !== 'read';
  part('links').hidden = hasToken();
  showSettings(config);
}

function showRoutes(facts) {
  const routes = store.rows('routes') ?? [];
  const servers = store.rows('servers') ?? [];
  mark(document.documentElement, 'data-filtered', place.search !== '' || place.wrong ? 'true' : null);
  mark(document.documentElement, 'data-alone', place.isAlone ? 'true' : null);
  focus.update(place.isAlone ? facts.focus : null, routes, servers);
  tree.update(routes, servers, nothingText(place));
  if (place.route === null) toolbar.update(facts, store.total('routes'), routes.length, 'route');
  else toolbar.update(facts, routes[0]?.suitable ?? 0, servers.length, 'server');
}

function showSettings({ path, drift }) {
  const from = path === null ? 'Without a settings file.' : `Settings from ${path}.`;
  say(part('settings'), drift.length === 0 ? from : `${from} Not in the file: ${drift.join('; ')}.`);
}

/** A button was pressed. */
async function change(server, what) {
  const changed = await changeServer(server, what);
  if (changed === null) return;
  const { word, meaning } = STATES[changed.state];
  const told = what === 'weight' ? `the weight is ${changed.weight}` : `${word.toLowerCase()}, ${meaning}`;
  toast(`${server.name}: ${told}`);
  await tick();
}

async function liftBan(client) {
  if ((await askToLift(client)) === null) return;
  toast(`${client} is let in again`);
  await tick();
}

async function endMaintenance(host) {
  if ((await askToEndMaintenance(host)) === null) return;
  toast(`${host === '*' ? 'Every host' : host} is served again`);
  await tick();
}

part('reload').addEventListener('click', async () => {
  const done = await askToReload();
  if (done !== null) toast(done.message);
  await tick();
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
  const { subject, text, reason } = eventWords(event);
  if (SPOKEN.has(event.what) && serverNow() - event.at < 5000)
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
  for (;;) {
    // The page is hidden: nothing is asked.
    if (document.visibilityState === 'visible') await tick();
    await pause(EVERY_MS);
  }
}

document.addEventListener('visibilitychange', () => void tick());
void run();
