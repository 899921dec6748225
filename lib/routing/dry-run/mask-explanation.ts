import { isSecretName, MASK, maskUserinfo } from '../../config/secrets.js';
import type { Explanation } from './dry-run.js';
import type { DryRunOutcome } from './outcome.js';
import type { RequestParts } from './request-text.js';

/**
 * An explanation without the credentials that rules put into a head: readers may see explanations, but need not know the
 * settings. What the asker sent is shown unmasked.
 */
export function maskExplanation(explanation: Explanation, { target, headers }: RequestParts): Explanation {
  const given = new Set(headers.flatMap(({ name, value }) => [`${name}: ${value}`, ...piecesOf(value, ';')]));
  for (const param of piecesOf(target.split('?', 2)[1] ?? '', '&')) given.add(param);
  const mask = (line: string): string => (given.has(line) ? line : maskLine(line, given));
  const { steps, outcome } = explanation;
  return {
    ...explanation,
    steps: steps.map((step) => ({
      ...step,
      changes: step.changes.map((change) => ({ ...change, text: mask(change.text) })),
    })),
    outcome: maskOutcome(outcome, mask),
  };
}

function maskOutcome(outcome: DryRunOutcome, mask: (line: string) => string): DryRunOutcome {
  if (outcome.kind !== 'forwarded' && outcome.kind !== 'replied') return outcome;
  const head = outcome.head.split('\r\n').map(mask).join('\r\n');
  if (outcome.kind === 'forwarded') return { ...outcome, head };
  const location = outcome.location === null ? null : mask(`Location: ${outcome.location}`).slice(10);
  return { ...outcome, head, location };
}

/** A line of a head: its start line, or a field. */
function maskLine(line: string, given: ReadonlySet<string>): string {
  const [, name, value = ''] = /^([^\s:]+): *(.*)$/s.exec(line) ?? [];
  const maskPiece = (piece: string): string => {
    const [, key, is] = /^([^=]*)(=)/.exec(piece) ?? [];
    return given.has(piece.trim()) || key === undefined ? piece : `${key}${is}${MASK}`;
  };
  if (name === undefined || /^(content-)?location$/i.test(name))
    return maskUserinfo(line).replace(/([?&])([^=&\s]+)=[^&\s]*/g, (pair, before, key) =>
      isSecretName(key) ? `${before}${maskPiece(pair.slice(1))}` : pair,
    );
  if (name.toLowerCase() === 'cookie') return `${name}: ${value.split(';').map(maskPiece).join(';')}`;
  return isSecretName(name) ? `${name}: ${MASK}` : line;
}

function piecesOf(text: string, separator: string): string[] {
  return text.split(separator).map((piece) => piece.trim());
}
