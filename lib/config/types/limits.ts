import type { LimitsSettings, TimeoutsSettings } from '../settings.js';
import type { Numbers } from './values.js';

/** All in ms; 0 switches the deadline off. */
export type TimeoutsConfig = Numbers<TimeoutsSettings>;

/** Sizes in bytes. Response heads may have twice `headerBytes`; beyond that the client gets 502. */
export type LimitsConfig = Numbers<LimitsSettings>;
