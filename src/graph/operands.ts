// Operands by name: where inputs are optional or repeated, counts say how many there are of each name, in the inputs' order.

export type OperandCounts<Name extends string = string> = Readonly<Record<Name, number>>;
export type Operands<Name extends string, T> = Readonly<Record<Name, readonly T[]>>;

/** How many operands there are of each name. */
export function countOperands<Name extends string>(operands: Operands<Name, unknown>): OperandCounts<Name> {
  const entries = Object.entries<readonly unknown[]>(operands).map(([name, list]) => [name, list.length]);
  return Object.fromEntries(entries) as OperandCounts<Name>;
}

/** All operands as one list, in the order of their names. */
export function listOperands<T>(operands: Operands<string, T>): T[] {
  return Object.values(operands).flat();
}

/** The operands of each name, from a list in the order of the counts. */
export function operandsOf<Name extends string, T>(
  counts: OperandCounts<Name>,
  list: readonly T[],
): Operands<Name, T> {
  let next = 0;
  const entries = Object.entries<number>(counts).map(([name, count]) => [
    name,
    list.slice(next, (next += count)),
  ]);
  return Object.fromEntries(entries) as Operands<Name, T>;
}
