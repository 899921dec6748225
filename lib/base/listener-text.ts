import type { Scheme } from './transport-info.js';

/** A listener, as people are shown it. */
export interface DescribedListener {
  /** As logs show it. */
  readonly address: string;
  readonly scheme: Scheme;
  readonly redirect: 'https' | null;
  /** The networks from which a PROXY header is expected; null: none is. */
  readonly proxyProtocol: readonly string[] | null;
}

/** `443 (https, PROXY protocol)`; a listener of plain HTTP without settings is its address alone. */
export function listenerText(listener: DescribedListener): string {
  const remarks = listenerRemarks(listener);
  return remarks.length === 0 ? listener.address : `${listener.address} (${remarks.join(', ')})`;
}

/** What is not as with a listener of plain HTTP, a few words each. */
export function listenerRemarks({
  scheme,
  redirect,
  proxyProtocol,
}: Omit<DescribedListener, 'address'>): string[] {
  return [
    ...(scheme === 'https' ? ['https'] : []),
    ...(redirect === null ? [] : ['redirects to https']),
    ...(proxyProtocol === null ? [] : ['PROXY protocol']),
  ];
}
