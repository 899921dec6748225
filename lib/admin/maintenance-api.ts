import type { MaintenanceTerms } from '../control/status/operations.js';
import type { AdminTarget } from './admin-target.js';
import { ApiError } from './api-error.js';
import { type Answer, type Call, json, readObject } from './call.js';
import { snakeCase } from './config-view.js';

const EXAMPLE = { hint: 'Send {"host":"www.mango.com","for_ms":1800000,"allow":["10.0.0.0/8"]}.' };

/** Hosts that are in maintenance, and what puts one there and takes it out. */
export class MaintenanceApi {
  readonly #subject: AdminTarget;

  constructor(subject: AdminTarget) {
    this.#subject = subject;
  }

  list(): Answer {
    return json({ maintenance: snakeCase(this.#subject.maintenances()) });
  }

  async begin({ request }: Call): Promise<Answer> {
    const { host, ...terms } = await readObject(request);
    if (typeof host !== 'string') throw new ApiError(400, 'bad_value', 'host is a text', EXAMPLE);
    this.#subject.setHostMaintenance(host, readTerms(terms));
    await this.#subject.settled();
    return this.list();
  }

  async end({ name }: Call): Promise<Answer> {
    this.#subject.setHostMaintenance(name, null);
    await this.#subject.settled();
    return this.list();
  }
}

function readTerms({
  for_ms: forMs = null,
  allow = [],
  ...others
}: Readonly<Record<string, unknown>>): MaintenanceTerms {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new ApiError(400, 'bad_value', `${unknown} is unknown`, EXAMPLE);
  if (forMs !== null && typeof forMs !== 'number')
    throw new ApiError(400, 'bad_value', 'for_ms is a number of milliseconds, or null', EXAMPLE);
  if (!Array.isArray(allow) || allow.some((one) => typeof one !== 'string'))
    throw new ApiError(400, 'bad_value', 'allow is a list of addresses and CIDRs', EXAMPLE);
  return { forMs, allow: allow as readonly string[] };
}
