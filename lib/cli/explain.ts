import { loadConfig } from '../config/config.js';
import { MOST_SHOWN, renderProblems } from '../config/problems.js';
import type { Config } from '../config/types.js';
import { DryRun } from '../routing/dry-run/dry-run.js';
import { explanationJson } from '../routing/dry-run/explanation-json.js';
import { maskExplanation } from '../routing/dry-run/mask-explanation.js';
import { listenerHost, listenerScheme, requestBytes } from '../routing/dry-run/request-text.js';
import type { ExplainOptions } from './args.js';
import type { Terminals } from './check.js';
import { writeReport } from './complaint.js';
import { renderWay } from './explain-way.js';
import type { Paint } from './paint.js';
import { DEFAULT_FILE, problemPaint, readConfig, StartSettingsError } from './start-settings.js';

/** Shows the way of a request without sending it. Returns the exit code: 1 when the configuration cannot be used. */
export function explain(options: ExplainOptions, { stdout, stderr }: Terminals): number {
  const file = options.configFile ?? DEFAULT_FILE;
  let config: Config;
  try {
    config = load(file, stderr.paint);
  } catch (error) {
    if (!(error instanceof StartSettingsError)) throw error;
    writeReport(stderr, error.report);
    return 1;
  }
  const { host, ...rest } = options.request;
  const scheme = options.request.scheme ?? listenerScheme(config);
  const request = { ...rest, scheme, host: host ?? listenerHost(config, scheme) };
  const found = new DryRun(config).explain(requestBytes(request), options.ip, scheme);
  const explanation = maskExplanation(found, request);
  const explained = {
    file,
    config,
    request,
    peer: options.ip,
    explanation,
    showsReceived: options.isVerbose,
  };
  stdout.write(
    options.json
      ? `${JSON.stringify({ file, ...explanationJson(explained) }, null, 2)}\n`
      : renderWay(explained, stdout.paint),
  );
  return 0;
}

function load(file: string, paint: Paint): Config {
  const text = readConfig(file);
  const result = loadConfig(text, { file, needsRoute: true });
  if (result.ok) return result.config;
  const { problems, included } = result;
  throw new StartSettingsError(
    renderProblems(problems, { file, text, included, most: MOST_SHOWN, paint: problemPaint(paint) }),
  );
}
