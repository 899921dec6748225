import type { TimerWheel } from '../base/timer-wheel.js';
import type { SourceConfig } from '../config/types.js';
import type { Source } from './contract.js';
import { FileSource } from './file-source.js';

/** What sources need besides their settings. */
export interface SourceDeps {
  readonly wheel: TimerWheel;
}

type Kind = SourceConfig['kind'];
type ConfigOf<K extends Kind> = Extract<SourceConfig, { readonly kind: K }>;

/** Every kind of source. */
const KINDS: { readonly [K in Kind]: (config: ConfigOf<K>, deps: SourceDeps) => Source } = {
  file: (config, deps) => new FileSource(config, deps),
};

/** The source for its settings; nothing is asked before `Source.ask`. */
export function openSource(config: SourceConfig, deps: SourceDeps): Source {
  return (KINDS[config.kind] as (config: SourceConfig, deps: SourceDeps) => Source)(config, deps);
}
