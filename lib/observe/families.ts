/** One line of the exposition: its labels, and what the name has behind it where that is several (`_bucket`). */
export interface Sample {
  readonly labels: { readonly [name: string]: string };
  readonly value: number;
  readonly suffix?: string;
}

/** Lines of one name. `read` is called when somebody wants to see them. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly read: () => Iterable<Sample>;
}

export function counter(name: string, help: string, read: Family['read']): Family {
  return { name, help, type: 'counter', read };
}

export function gauge(name: string, help: string, read: Family['read']): Family {
  return { name, help, type: 'gauge', read };
}

/** A number that has no labels. */
export function one(value: number): readonly Sample[] {
  return [{ labels: {}, value }];
}
