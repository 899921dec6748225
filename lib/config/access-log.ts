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
  for (const key of ['fields', 'request_headers', 'response_headers'] as const)
    if (settings[key] !== undefined && (format === 'dev' || format === 'off'))
      report.problem(
        [...PATH, key],
        key === 'fields' ? `the fields of ${format} cannot be chosen` : `${format} cannot show headers`,
        key === 'fields' ? 'Those of json and combined can.' : 'json and combined can.',
      );
  return {
    format,
    file,
    fields,
    requestHeaders: namesOf(settings.request_headers),
    responseHeaders: namesOf(settings.response_headers),
    filter: compileFilter(settings, report),
  };
}

/** Each once, however often it is written in other cases. The schema has removed what is no name. */
function namesOf(names: readonly (string | undefined)[] = []): readonly string[] {
  return [...new Set(names.flatMap((name) => name?.toLowerCase() ?? []))];
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
