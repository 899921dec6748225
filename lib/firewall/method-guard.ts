import { type FirewallRefusal, FORBIDDEN, type GuardedRequest, type RequestGuard } from './guard.js';

/** Refuses methods, by their exact names (RFC 9110, 9.1). */
export class MethodGuard implements RequestGuard {
  readonly name = 'method_reject';
  readonly #methods: ReadonlySet<string>;

  constructor(methods: readonly string[]) {
    this.#methods = new Set(methods);
  }

  judge(request: GuardedRequest): FirewallRefusal | null {
    return this.#methods.has(request.method) ? FORBIDDEN : null;
  }
}
