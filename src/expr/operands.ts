// How the expressions of an op name the tensors that it reads.
import { topological, type Expr } from './expr.ts';

/** The name of the tensor at a position of the op's inputs, such as `in3`. */
export const inputName = (position: number): string => `in${position}`;

/** The position that a name such as `in3` stands for. */
export function inputPosition(name: string): number {
  return Number(name.slice('in'.length));
}

/** FLOP of expressions at one element: an operation that several share counts once. */
export function countOperations(exprs: readonly Expr[]): number {
  return topological(exprs).filter(({ kind }) => 'op' in kind).length;
}
