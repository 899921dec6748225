import { type FirewallRefusal, FORBIDDEN, type GuardedRequest, type RequestGuard } from './guard.js';

/**
 * Refuses methods in every spelling: their case counts (RFC 9110, 9.1), but not to all servers. Symfony and Werkzeug take
 * `delete` for DELETE.
 */
export class MethodGuard implements RequestGuard {
  readonly name = 'method_reject';
  /** In upper case, as settings have them. */
  readonly #methods: ReadonlySet<string>;

  constructor(methods: readonly string[]) {
    this.#methods = new Set(methods);
  }

  judge(request: GuardedRequest): FirewallRefusal | null {
    return this.#methods.has(request.method.toUpperCase()) ? FORBIDDEN : null;
  }
}
