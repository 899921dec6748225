import type { ManagedServer } from '../managed-server.js';

/** Why a server takes no new requests, in words; empty when it does, and when its state says it. */
export function whyOut({ state, server, health }: ManagedServer): string {
  const { history } = health.record;
  if (state === 'down') return history.lastReason('down') || (history.lastCheck?.result ?? 'not checked yet');
  if (state === 'ejected') return history.lastReason('ejected').replace(/, for [^,]*$/, '');
  return server.obstacle === 'weight 0' ? 'its weight is 0' : '';
}
