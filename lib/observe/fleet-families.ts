import { counter, type Family, gauge, type Sample } from './families.js';

/** What is shared with other nodes, as metrics show it. */
export interface LiveFleet {
  /** `shared` while Redis answers as it should. */
  readonly state: string;
  /** As Redis last said; those of the last good answer while it is lost. */
  readonly nodes: readonly unknown[];
  /** Since the start. */
  readonly commands: number;
  readonly errors: number;
  /** Seconds that all answers took. */
  readonly answerSeconds: number;
  readonly answers: number;
  /** Keys of rate limits that are shared by leases now. */
  readonly keys: number;
  /** Tokens since the start. */
  readonly leased: number;
  readonly returned: number;
}

/** The families of what nodes share. `live` is called for each family; null: nothing is shared. */
export function fleetFamilies(live: () => LiveFleet | null): readonly Family[] {
  const one = (value: (fleet: LiveFleet) => number): (() => Iterable<Sample>) =>
    function* () {
      const fleet = live();
      if (fleet !== null) yield { labels: {}, value: value(fleet) };
    };
  return [
    gauge(
      'lb_shared_up',
      'Whether limits are shared with other nodes: 0 while Redis does not answer as it should.',
      one(({ state }) => (state === 'shared' ? 1 : 0)),
    ),
    gauge(
      'lb_shared_nodes',
      'Nodes that share, this one included, as Redis last said.',
      one(({ nodes }) => nodes.length),
    ),
    counter(
      'lb_shared_commands_total',
      'Commands to Redis; a script that does many things is one.',
      one(({ commands }) => commands),
    ),
    counter(
      'lb_shared_errors_total',
      'Commands to Redis that failed or were not answered in time.',
      one(({ errors }) => errors),
    ),
    counter(
      'lb_shared_answer_seconds_total',
      'Time that all answers of Redis took; divided by lb_shared_answers_total, that of one.',
      one(({ answerSeconds }) => answerSeconds),
    ),
    counter(
      'lb_shared_answers_total',
      'Answers of Redis.',
      one(({ answers }) => answers),
    ),
    gauge(
      'lb_shared_keys',
      'Clients of rate limits that are used beyond the share of a node, so that tokens are leased for them.',
      one(({ keys }) => keys),
    ),
    counter(
      'lb_shared_tokens_leased_total',
      'Tokens of rate limits that were leased from Redis.',
      one(({ leased }) => leased),
    ),
    counter(
      'lb_shared_tokens_returned_total',
      'Leased tokens that were given back unused.',
      one(({ returned }) => returned),
    ),
  ];
}
