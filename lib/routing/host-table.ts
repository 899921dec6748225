import type { HostName } from '../config/types.js';

/**
 * Values by host name: the exact name, else the longest wildcard. The cost of a search does not depend on the number of
 * hosts.
 */
export class HostTable<T> {
  readonly #exact = new Map<string, T>();
  /** By suffix, which begins with a dot. */
  readonly #wildcards = new Map<string, T>();
  #longestSuffix = 0;

  add(name: HostName, value: T): void {
    if (name.kind === 'exact') {
      this.#exact.set(name.name, value);
    } else {
      this.#wildcards.set(name.suffix, value);
      this.#longestSuffix = Math.max(this.#longestSuffix, name.suffix.length);
    }
  }

  get isEmpty(): boolean {
    return this.#exact.size === 0 && this.#wildcards.size === 0;
  }

  /** How closely the name that `find` uses matches the host: an exact name most, then the longest wildcard; 0: none does. */
  closeness(host: string): number {
    if (this.#exact.has(host)) return Number.POSITIVE_INFINITY;
    if (this.#wildcards.size === 0) return 0;
    let dot = host.indexOf('.', Math.max(1, host.length - this.#longestSuffix));
    while (dot !== -1 && !this.#wildcards.has(host.slice(dot))) dot = host.indexOf('.', dot + 1);
    return dot === -1 ? 0 : host.length - dot;
  }

  /** `host`: in lower case, without port and final dot. A star stands for one or more labels, so never for an empty text. */
  find(host: string): T | undefined {
    const exact = this.#exact.get(host);
    if (exact !== undefined || this.#wildcards.size === 0) return exact;
    // Skips suffixes longer than any in the table: a Host may be as long as a head.
    let dot = host.indexOf('.', Math.max(1, host.length - this.#longestSuffix));
    while (dot !== -1) {
      const value = this.#wildcards.get(host.slice(dot));
      if (value !== undefined) return value;
      dot = host.indexOf('.', dot + 1);
    }
    return undefined;
  }
}
