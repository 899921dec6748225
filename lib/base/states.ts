/** The states of one kind of object by name, and for each the states that may follow. */
export type Moves<State extends string> = { readonly [from in State]: readonly State[] };

/** Whether forbidden transitions throw. Read before each transition: a call would cost more than the transition. */
export let assertsMoves = false;

/** From now on a transition that is not in its table throws. For tests. */
export function assertMoves(): void {
  assertsMoves = true;
}

/** Throws unless `to` may follow `from`. Staying in a state is no transition. */
export function checkMove<State extends string>(moves: Moves<State>, from: State, to: State): void {
  if (from !== to && !moves[from].includes(to)) throw new Error(`${from} is never followed by ${to}`);
}
