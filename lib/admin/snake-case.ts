/** Plain data with its keys as they are written in the settings and in logs: `uptimeMs` becomes `uptime_ms`. */
export function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [snakeKey(key), snakeCase(item)]));
}

/** `maxConnectionsPerIp` to `max_connections_per_ip`. */
export function snakeKey(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
