import { duration, share } from './quantities.js';
import type { Report } from './report.js';
import type { AccessLogSetting, AccessLogSettings } from './settings.js';
import { compileStatuses } from './statuses.js';
import type { Path } from './tree.js';
import type { AccessLogConfig } from './types.js';

const PATH: Path = ['access_log'];

/** The access log: which requests are logged, with which fields, and where. */
export function compileAccessLog(setting: AccessLogSetting | undefined, report: Report): AccessLogConfig {
  const settings = typeof setting === 'object' ? setting : { ...(setting && { format: setting }) };
  const { format, file = null, fields = null } = settings;
  if (fields !== null && (format === 'dev' || format === 'off'))
    report.problem([...PATH, 'fields'], `${format} has no fields to choose`, 'json and combined have.');
  return { format, file, fields, filter: compileFilter(settings, report) };
}

function compileFilter(settings: AccessLogSettings, report: Report): AccessLogConfig['filter'] {
  const { status, slower_than, sample } = settings;
  const chooses = status !== undefined || slower_than !== undefined;
  if (!chooses && sample === undefined) return null;
  return {
    statuses: status === undefined ? [] : compileStatuses(status, [...PATH, 'status'], report),
    slowerThan: slower_than === undefined ? null : duration(slower_than, 0, [...PATH, 'slower_than'], report),
    sample: share(sample, 0, [...PATH, 'sample'], report),
  };
}
