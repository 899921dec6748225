import type { TimerWheel } from '../base/timer-wheel.js';
import type { SourceConfig } from '../config/types.js';
import type { Resolver } from '../net/resolver.js';
import type { Source } from './contract.js';
import { DnsSource } from './dns-source.js';
import type { DockerEngines } from './docker-engines.js';
import { DockerSource } from './docker-source.js';
import { FileSource } from './file-source.js';
import { HttpSource } from './http-source.js';
import { KubernetesSource } from './kubernetes-source.js';
import { SrvSource } from './srv-source.js';

/** What sources need besides their settings. */
export interface SourceDeps {
  readonly wheel: TimerWheel;
  readonly resolver: Resolver;
  readonly engines: DockerEngines;
}

type Kind = SourceConfig['kind'];
type ConfigOf<K extends Kind> = Extract<SourceConfig, { readonly kind: K }>;

/** Every kind of source. */
const KINDS: { readonly [K in Kind]: (config: ConfigOf<K>, deps: SourceDeps) => Source } = {
  dns: (config, deps) => new DnsSource(config, deps),
  srv: (config, deps) => new SrvSource(config, deps),
  file: (config, deps) => new FileSource(config, deps),
  http: (config, deps) => new HttpSource(config, deps),
  kubernetes: (config, deps) => new KubernetesSource(config, deps),
  docker: (config, deps) => new DockerSource(config, deps),
};

/** The source for its settings; nothing is asked before `Source.ask`. */
export function openSource(config: SourceConfig, deps: SourceDeps): Source {
  return (KINDS[config.kind] as (config: SourceConfig, deps: SourceDeps) => Source)(config, deps);
}
