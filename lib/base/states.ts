/** Of one kind of machine: its states by name, and for each the states that may follow it. */
export type Moves<State extends string> = { readonly [from in State]: readonly State[] };

/** Do forbidden moves throw? Read before each move: a call for each would cost more than the move. */
export let assertsMoves = false;

/** From now on a move that is not in its table throws. For tests. */
export function assertMoves(): void {
  assertsMoves = true;
}

/** Throws unless `to` may follow `from`. To stay in a state is no move. */
export function checkMove<State extends string>(moves: Moves<State>, from: State, to: State): void {
  if (from !== to && !moves[from].includes(to)) throw new Error(`${from} is never followed by ${to}`);
}
