import { MASK } from '../config/secrets.js';

/** `name=value` of a query with a name that suggests a credential. Narrower than for settings: `author` is not one. */
const CREDENTIAL =
  /([?&](?:[^=&#]*[-_.])?(?:auth|authorization|[^=&#]*(?:token|secret|passw(?:or)?d|api[-_]?key|signature|session)[^=&#]*)=)[^&#]*/gi;

/** A target or a URL as a log shows it: credentials in its query are masked, because logs are read by many. */
export function shownTarget(target: string): string {
  return target.includes('?') && target.includes('=') ? target.replace(CREDENTIAL, `$1${MASK}`) : target;
}
