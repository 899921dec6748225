import type { DnsSourceConfig } from '../config/types.js';
import type { Resolver } from '../net/resolver.js';
import type { Source, SourceListener } from './contract.js';
import { HostQuery, serverAt } from './host-query.js';

/** Every address of a name is a server. It is asked again when the TTL is over. */
export class DnsSource implements Source {
  readonly #config: DnsSourceConfig;
  readonly #query: HostQuery;

  constructor(config: DnsSourceConfig, { resolver }: { readonly resolver: Resolver }) {
    this.#config = config;
    this.#query = new HostQuery(config.name, config.port, config.family, resolver);
  }

  ask(listener: SourceListener): void {
    const { name, port } = this.#config;
    this.#query.ask((error, { addresses, ttl, trouble }) => {
      if (error !== '') listener.onFailed(`${name} could not be resolved: ${error}`);
      else
        listener.onServers(
          addresses.map((address) => serverAt(address, port, name)),
          ttl,
          trouble,
        );
    });
  }

  stop(): void {
    this.#query.stop();
  }
}
