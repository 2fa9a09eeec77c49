// The names by which the expressions of an op refer to its inputs.
import { topological, type Expr } from './expr.ts';

/** The name of the op's input at a position, such as `in3`. */
export const inputName = (position: number): string => `in${position}`;

/** The position of an input from its name, such as `in3`. */
export function inputPosition(name: string): number {
  return Number(name.slice('in'.length));
}

/** The FLOP of expressions at one element; shared operations count once. */
export function countOperations(exprs: readonly Expr[]): number {
  return topological(exprs).filter(({ kind }) => 'op' in kind).length;
}
