/** `max_idle` as `maxIdle`: how the compiled configuration names a key of the settings. */
export type CamelKey<Key extends string> = Key extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelKey<Tail>>}`
  : Key;

/** `max_connections_per_ip` as `maxConnectionsPerIp`. */
export function camelKey<Key extends string>(key: Key): CamelKey<Key> {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) as CamelKey<Key>;
}

/** `maxConnectionsPerIp` as `max_connections_per_ip`, as settings, logs and the API name it. */
export function snakeKey(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
