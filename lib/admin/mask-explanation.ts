import type { Explanation } from '../dry-run/dry-run.js';
import type { RequestParts } from '../dry-run/request-text.js';
import { isSecretName, MASK } from './config-view.js';

/**
 * An explanation without the credentials that rules put into a head: whoever may ask need not know what the settings
 * hold. What the asker gave is shown as given.
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
    outcome:
      outcome.kind === 'forwarded'
        ? { ...outcome, head: outcome.head.split('\r\n').map(mask).join('\r\n') }
        : outcome,
  };
}

/** A line of a head: its start line, or a field. */
function maskLine(line: string, given: ReadonlySet<string>): string {
  const [, name, value = ''] = /^([^\s:]+): *(.*)$/s.exec(line) ?? [];
  const maskPiece = (piece: string): string => {
    const [, key, is] = /^([^=]*)(=)/.exec(piece) ?? [];
    return given.has(piece.trim()) || key === undefined ? piece : `${key}${is}${MASK}`;
  };
  if (name === undefined)
    return line.replace(/([?&])([^=&\s]+)=[^&\s]*/g, (pair, before, key) =>
      isSecretName(key) ? `${before}${maskPiece(pair.slice(1))}` : pair,
    );
  if (name.toLowerCase() === 'cookie') return `${name}: ${value.split(';').map(maskPiece).join(';')}`;
  return isSecretName(name) ? `${name}: ${MASK}` : line;
}

function piecesOf(text: string, separator: string): string[] {
  return text.split(separator).map((piece) => piece.trim());
}
