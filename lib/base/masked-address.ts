import { type IpAddress, parseIpAddress } from './ip-address.js';

/**
 * The network of a client in place of its address: the /24 of IPv4, the /48 of IPv6, which is usually one customer's. Written
 * as the first address of that network, so that programs that parse addresses can parse it.
 */
export function maskedAddress(address: IpAddress): string {
  const { version, text } = address;
  if (version === 4) return `${text.slice(0, text.lastIndexOf('.'))}.0`;
  if (version === 0) return text;
  const first = address.word(0);
  const second = address.word(1);
  const groups = [first >>> 16, first & 0xffff, second >>> 16].map((group) => group.toString(16));
  while (groups.at(-1) === '0') groups.pop();
  return `${groups.join(':')}::`;
}

/** The same for a client as firewalls call it: an address, or the /64 of IPv6. */
export function maskedClient(text: string): string {
  const address = parseIpAddress(text.replace(/\/64$/, ''));
  return address === null ? text : maskedAddress(address);
}
