import { type Address, namedAddress } from '../../base/address.js';
import type { HealthCheckConfig } from '../../config/types.js';
import { utf8Bytes } from '../../http/percent.js';

/** A check for one server: its address and, for HTTP, the bytes to send, as latin1. */
export interface CheckRequest {
  readonly address: Address;
  readonly request: string;
}

/** The request of `check` for the server at `server`. */
export function checkRequestOf(check: HealthCheckConfig, server: Address): CheckRequest {
  const address = addressOf(check.target, server);
  return { address, request: check.type === 'tcp' ? '' : requestOf(check, address) };
}

/** A port alone is a port of the server's host; for a server on a Unix socket, of this host. */
function addressOf(target: HealthCheckConfig['target'], server: Address): Address {
  if (target === null) return server;
  if (typeof target !== 'number') return target;
  const host = server.kind === 'tcp' ? server.host : 'localhost';
  const text = host.includes(':') ? `[${host}]:${target}` : `${host}:${target}`;
  const address: Address = { kind: 'tcp', host, port: target, text };
  return server.kind === 'tcp' && server.name !== undefined ? namedAddress(address, server.name) : address;
}

function requestOf(check: HealthCheckConfig, address: Address): string {
  const { method, path, headers } = check;
  const host = check.host ?? (address.kind === 'tcp' ? (address.authority ?? address.text) : 'localhost');
  const given = new Set(headers.map(({ name }) => name.toLowerCase()));
  const body = Buffer.from(check.body).toString('latin1');
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    ...(given.has('user-agent') ? [] : ['User-Agent: lb-health']),
    ...(given.has('accept') ? [] : ['Accept: */*']),
    ...headers.map(({ name, value }) => `${name}: ${utf8Bytes(value)}`),
    ...(body === '' ? [] : [`Content-Length: ${body.length}`]),
    'Connection: close',
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
