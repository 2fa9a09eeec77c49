// The inputs of a node by name. Each operand may be absent or repeated; counts give the number of inputs for each name, in input
// order.
import { applyAll, type Op, type Value } from './value.ts';

export type OperandCounts<Name extends string = string> = Readonly<Record<Name, number>>;
export type Operands<Name extends string, T> = Readonly<Record<Name, readonly T[]>>;

/** Number of operands for each name. */
export function countOperands<Name extends string>(operands: Operands<Name, unknown>): OperandCounts<Name> {
  const entries = Object.entries<readonly unknown[]>(operands).map(([name, list]) => [name, list.length]);
  return Object.fromEntries(entries) as OperandCounts<Name>;
}

/** Flattens the operands into one list, in the order of their names. */
export function listOperands<T>(operands: Operands<string, T>): T[] {
  return Object.values(operands).flat();
}

/** Splits a list into the operands of each name, in the order of the counts. */
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

/** All outputs of a new node of an op whose inputs have names. */
export function applyNamed<Name extends string, Attrs extends { readonly operands: OperandCounts<Name> }>(
  op: Op<Attrs>,
  attrs: Omit<Attrs, 'operands'>,
  operands: Operands<Name, Value>,
): readonly Value[] {
  return applyAll(op, { ...attrs, operands: countOperands(operands) } as Attrs, listOperands(operands));
}
