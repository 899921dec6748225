/** A command line that makes no sense. The message is one sentence for stderr. */
export class UsageError extends Error {}
