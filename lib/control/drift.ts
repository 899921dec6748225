import type { HostMaintenance } from '../routing/host-maintenance.js';
import type { ChangedTerms } from './changed-terms.js';
import type { ServerLayers } from './server-layers.js';

/** Stands for the source of a server that no source reports at present. */
const ABSENT = 'not there now';

/** The differences between what is in force and the file, a line each. */
export function driftOf(
  layers: ServerLayers,
  terms: ChangedTerms,
  maintenance: readonly HostMaintenance[],
): readonly string[] {
  return [
    ...driftOfWeights(layers, terms),
    ...driftOfAvailability(layers, terms),
    ...driftOfServers(layers, terms),
    ...maintenance.map(({ host }) => `maintenance of ${host} (file: none)`),
  ];
}

function* driftOfWeights(layers: ServerLayers, terms: ChangedTerms): Generator<string> {
  for (const [name, weight] of terms.weights) {
    const listed = terms.listedWeights(name);
    const origin = originOf(name, layers);
    if (listed.length > 0) yield `weight of ${name}: ${weight} (file: ${listed.join(', ')})`;
    else if (origin !== 'file') {
      const reported = [...new Set(terms.providedWeights(name))];
      yield `weight of ${name}: ${weight} (${[origin, reported.join(', ')].filter(Boolean).join(': ')})`;
    }
  }
}

function* driftOfAvailability(layers: ServerLayers, terms: ChangedTerms): Generator<string> {
  for (const [name, availability] of terms.availability) {
    const origin = originOf(name, layers);
    yield `availability of ${name}: ${availability} (${origin === ABSENT ? origin : `${origin}: ready`})`;
  }
}

function* driftOfServers(layers: ServerLayers, terms: ChangedTerms): Generator<string> {
  for (const { route, server } of layers.addedMoves) {
    const where = server.name === server.address.text ? server.name : `${server.name} ${server.address.text}`;
    yield `servers of ${route}: ${where} with weight ${terms.weightOf(server)} (file: not there)`;
  }
  for (const { route, server } of layers.removedMoves)
    yield `servers of ${route}: without ${server.name} (file: there)`;
  for (const { route, server } of layers.excludedMoves) {
    const origin = originOf(server.name, layers);
    const there = origin === ABSENT ? origin : `${origin}: there`;
    yield `servers of ${route}: without ${server.name} (${there})`;
  }
}

/** Where a server comes from that was changed. */
function originOf(name: string, layers: ServerLayers): string {
  if (layers.isFromFile(name)) return 'file';
  const source = layers.provided.listingsOf(name)[0]?.source;
  return source ?? (layers.isAdded(name) || layers.file.sources.size === 0 ? 'file' : ABSENT);
}
