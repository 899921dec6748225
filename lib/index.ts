/**
 * The public door: everything a program that embeds the balancer may lean on. Nothing else in here is meant to be
 * imported from outside.
 */

export { Admin } from './admin/admin.js';
export type { AdminDeps, AdminTarget, ReloadOutcome } from './admin/admin-target.js';
export { createBalancer } from './balancer.js';
export type { Address } from './base/address.js';
export { FAILURES, type Failure, type Fault } from './base/failure.js';
export type {
  AttemptRecord,
  Availability,
  BalancerEvent,
  CheckRecord,
  Observer,
  Reason,
  RequestRecord,
} from './base/observer.js';
export { createConfig, type LoadOptions, type LoadResult, loadConfig } from './config/config.js';
export { type Problem, renderProblems } from './config/problems.js';
export type { Settings } from './config/settings.js';
export type { Config } from './config/types.js';
export type { Balancer, BalancerOptions } from './control/balancer-contract.js';
export type { CertificateReload } from './control/certificates.js';
export { type ChangeStore, type Changes, readChanges, writeChanges } from './control/changes.js';
export {
  type NewServer,
  type OperationCode,
  OperationError,
  type Operations,
} from './control/status/operations.js';
export type * from './control/status/status.js';
export { Exposition, type ExpositionDeps } from './observe/exposition.js';
export type { Metrics } from './observe/metrics.js';
export type { MetricsSnapshot } from './observe/metrics-snapshot.js';
export { CertificateError, type CertificateFinding } from './tls/finding.js';
