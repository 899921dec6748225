import type { HostName } from '../config/types.js';

/** Values by host name: the exact name, else the longest wildcard. The number of hosts does not matter to a search. */
export class HostTable<T> {
  readonly #exact = new Map<string, T>();
  /** By suffix, which begins with its dot. */
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

  /** `host`: in lower case, without port and final dot. A star stands for one label or more, so it is never empty. */
  find(host: string): T | undefined {
    const exact = this.#exact.get(host);
    if (exact !== undefined || this.#wildcards.size === 0) return exact;
    // Suffixes longer than any that is known are not even cut: a Host may be as long as a head.
    let dot = host.indexOf('.', Math.max(1, host.length - this.#longestSuffix));
    while (dot !== -1) {
      const value = this.#wildcards.get(host.slice(dot));
      if (value !== undefined) return value;
      dot = host.indexOf('.', dot + 1);
    }
    return undefined;
  }
}
