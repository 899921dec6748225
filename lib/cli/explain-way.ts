import { STATUS_CODES } from 'node:http';
import { listenerText } from '../base/listener-text.js';
import { didYouMean } from '../base/nearest.js';
import type { Scheme } from '../base/transport-info.js';
import { formatSize } from '../base/units.js';
import { describeListener } from '../config/inventory.js';
import { lineIn } from '../config/sources.js';
import type { Config } from '../config/types.js';
import { readUtf8 } from '../http/percent.js';
import { escapeForScreen } from '../observe/escape.js';
import type { Explanation, FirewallOpinions } from '../routing/dry-run/dry-run.js';
import type { DryRunOutcome, Replied } from '../routing/dry-run/outcome.js';
import { type RequestParts, requestBytes } from '../routing/dry-run/request-text.js';
import type { RuleStep } from '../routing/dry-run/rule-steps.js';
import type { Absence } from '../routing/dry-run/way.js';
import { type Line, serverLines } from './explain-servers.js';
import type { Paint } from './paint.js';

/** What is explained, and the file it is explained by. */
export interface Explained {
  readonly file: string;
  readonly config: Config;
  readonly request: RequestParts & { readonly scheme: Scheme };
  /** The address of the client. */
  readonly peer: string;
  readonly explanation: Explanation;
  /** Is the request shown as the client sends it, too? */
  readonly showsReceived: boolean;
}

const WIDTH = 80;
const LABEL_WIDTH = 10;
const MARGIN = ' '.repeat(2 + LABEL_WIDTH);
/** Longer lists of names are cut. */
const SHOWN_NAMES = 8;
/** A longer body of an answer is not shown. */
const SHOWN_BODY = 400;

function listenersText({ listen }: Config): string {
  return listen.map((listener) => listenerText(describeListener(listener))).join(', ');
}

/** A stage of the request's way: its name, and its lines before indentation. */
interface Section {
  readonly label: string;
  readonly lines: readonly Line[];
}

const same = (text: string): string => text;

/** The way of a request from the listener to its end, at most 80 columns wide. */
export function renderWay(explained: Explained, paint: Paint): string {
  const { file, config, request, peer, explanation } = explained;
  const { outcome, firewalls, steps } = explanation;
  const place = (line: number): string => {
    const at = lineIn(line, file, config.included);
    return line === 0 ? '' : `  ${at.file}:${at.line}`;
  };
  const title = wrap(`${request.method} ${request.scheme}://${request.host}${request.target}`, WIDTH - 4);
  const guards = (which: (entry: FirewallOpinions) => boolean): Section[] =>
    firewalls.filter(which).map((entry) => firewallSection(entry, place, paint));
  const sections: Section[] = [
    { label: 'listener', lines: [{ text: listenersText(config) }] },
    { label: 'client', lines: clientLines(explanation, peer) },
    { label: 'it sends', lines: explained.showsReceived ? receivedLines(request) : [] },
    ...guards(({ firewall }) => firewall === config.firewall),
    { label: 'route', lines: routeLines(explanation, place, paint) },
    ...guards(({ firewall }) => firewall !== config.firewall),
    ...(steps.length > 0 ? ruleSections(steps, paint) : []),
    requestSection(outcome),
    outcomeSection(outcome, paint),
    pageSection(explanation),
  ];
  const shown = sections
    .filter(({ lines }) => lines.length > 0)
    .map((section) => renderSection(section, paint));
  return `\n${title.map((line) => `  ${paint.bold(line)}\n`).join('')}\n${shown.join('')}\n`;
}

function renderSection({ label, lines }: Section, paint: Paint): string {
  let out = '';
  for (const { text, tint = same, indent = 0 } of lines) {
    const pieces = wrap(escapeForScreen(text), WIDTH - MARGIN.length - indent - 2);
    pieces.forEach((piece, index) => {
      const before = out === '' ? `  ${paint.dim(label.padEnd(LABEL_WIDTH))}` : MARGIN;
      out += `${before}${' '.repeat(indent + (index === 0 ? 0 : 2))}${tint(piece)}\n`;
    });
  }
  return out;
}

function clientLines({ client, trustsPeer }: Explanation, peer: string): Line[] {
  if (!trustsPeer) return [{ text: client }];
  const told = client !== peer;
  return [{ text: told ? `${client}, as ${peer} of trusted_proxies says` : `${peer}, of trusted_proxies` }];
}

function firewallSection(
  { firewall, opinions }: FirewallOpinions,
  place: (line: number) => string,
  paint: Paint,
): Section {
  const lines: Line[] = [{ text: `${firewall.name}${place(firewall.line)}` }];
  for (const { guard, status } of opinions) {
    if (status === 0) lines.push({ text: `${guard} passes`, tint: paint.green, indent: 2 });
    else if (firewall.mode === 'observe')
      lines.push({
        text: `${guard} would refuse, ${status}, but mode is observe`,
        tint: paint.yellow,
        indent: 2,
      });
    else lines.push({ text: `${guard} refuses`, tint: paint.red, indent: 2 });
  }
  return { label: 'firewall', lines };
}

function routeLines(
  { outcome: { route }, passedOver, absence }: Explanation,
  place: (line: number) => string,
  paint: Paint,
): Line[] {
  const passed = passedOver.map(({ route: other, unmet }) => ({
    text: `not ${other.name}${place(other.line)}: ${unmetText(unmet)}`,
    tint: paint.dim,
  }));
  if (route !== null) return [{ text: `${route.name}${place(route.line)}` }, ...passed];
  return absence === null ? [] : [...absenceLines(absence, paint), ...passed];
}

function unmetText(unmet: string): string {
  if (unmet === 'not') return 'something under not matches';
  return unmet === 'any' ? 'nothing under any matches' : `${unmet} does not match`;
}

function absenceLines({ host, hostKnown, known, nearest, paths }: Absence, paint: Paint): Line[] {
  const advice = nearest === null ? '' : ` ${didYouMean(nearest)}`;
  const lines: Line[] = [
    { text: 'none', tint: paint.red },
    {
      text: hostKnown
        ? `${host} has no route for this path.${advice}`
        : `No host is called ${host}.${advice}`,
    },
  ];
  if (known.length > 0) lines.push({ text: `${hostKnown ? 'its paths' : 'hosts'}: ${list(known)}` });
  if (paths.length > 0) lines.push({ text: `paths for every other host: ${list(paths)}` });
  return lines;
}

/** The head as the client sends it. */
function receivedLines(request: Explained['request']): Line[] {
  return requestBytes(request)
    .toString('utf8')
    .trimEnd()
    .split('\r\n')
    .map((text) => ({ text }));
}

/** The head as the server gets it. */
function requestSection(outcome: DryRunOutcome): Section {
  const head = outcome.kind === 'forwarded' ? readUtf8(outcome.head).trimEnd() : '';
  return { label: 'request', lines: head === '' ? [] : head.split('\r\n').map((text) => ({ text })) };
}

function ruleSections(steps: readonly RuleStep[], paint: Paint): Section[] {
  const [own, ...rules] = steps;
  return [
    { label: 'lb itself', lines: own === undefined ? [] : changeLines(own, paint, 0) },
    { label: 'rules', lines: rules.flatMap((step) => stepLines(step, paint)) },
  ];
}

function stepLines(step: RuleStep, paint: Paint): Line[] {
  if (step.changes.length === 0) return [{ text: `${step.rule}: nothing to change`, tint: paint.dim }];
  return [{ text: step.rule }, ...changeLines(step, paint, 2)];
}

function changeLines({ changes }: RuleStep, paint: Paint, indent: number): Line[] {
  return changes.map(({ sign, text }) => ({
    text: `${sign} ${text}`,
    tint: sign === '-' ? paint.red : paint.green,
    indent,
  }));
}

/** A short text as it is, anything else by its size and type: files may be images. */
function bodyText({ body, head }: Replied): string {
  const text = readUtf8(body);
  if (text.length <= SHOWN_BODY && !/[\x00-\x08\x0b\x0c\x0e-\x1f]/.test(text)) return text;
  const [, type = ''] = /\r\nContent-Type: ([^\r]*)/i.exec(head) ?? [];
  return `${formatSize(body.length)} of ${type}`;
}

function outcomeSection(outcome: DryRunOutcome, paint: Paint): Section {
  switch (outcome.kind) {
    case 'forwarded':
      return { label: 'servers', lines: serverLines(outcome, paint) };
    case 'replied': {
      const lines: Line[] = [{ text: statusText(outcome.status), tint: paint.bold }];
      if (outcome.location !== null) lines.push({ text: `Location: ${readUtf8(outcome.location)}` });
      else if (outcome.body !== '') lines.push({ text: bodyText(outcome) });
      if (outcome.route === null) lines.push({ text: 'by its listener: redirect: https' });
      return { label: 'answer', lines };
    }
    case 'readiness':
      return {
        label: 'answer',
        lines: [
          { text: statusText(outcome.status), tint: paint.bold },
          { text: 'readiness_path: lb says itself that it is ready, or 503 while it is not' },
        ],
      };
    case 'refused': {
      if (outcome.atAccept)
        return {
          label: 'answer',
          lines: [{ text: 'none: the connection is closed at accept', tint: paint.red }],
        };
      const lines: Line[] = [{ text: statusText(outcome.status), tint: paint.red }];
      if (outcome.detail !== '') lines.push({ text: outcome.detail });
      return { label: 'answer', lines };
    }
  }
}

function pageSection({ page, outcome }: Explanation): Section {
  if (page === null || (outcome.kind === 'refused' && outcome.atAccept)) return { label: 'page', lines: [] };
  return { label: 'page', lines: [{ text: `${page.file ?? 'a text of error_pages'}, ${page.contentType}` }] };
}

function statusText(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ''}`.trimEnd();
}

function list(names: readonly string[]): string {
  const more = names.length > SHOWN_NAMES ? `, and ${names.length - SHOWN_NAMES} more` : '';
  return names.slice(0, SHOWN_NAMES).join(', ') + more;
}

/** Breaks at spaces if possible, anywhere otherwise. */
function wrap(text: string, width: number): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const end = space > width / 2 ? space : width;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...pieces, rest];
}
