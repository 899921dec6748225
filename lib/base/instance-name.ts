import { hostname } from 'node:os';

/**
 * What this balancer is called among others of its kind: in logs, events, status, metrics and traces, and by the nodes that
 * share with it. `setting`: the name in the settings; null: the name of the machine.
 */
export function instanceName(setting: string | null): string {
  return setting ?? hostname();
}
