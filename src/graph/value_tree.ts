// Nested arguments of values as the inputs of a node, and back.
import { leavesOf, mapTree } from '../core/tree.ts';
import { Value } from './value.ts';

const isValue = (node: unknown): node is Value => node instanceof Value;

/** The values in nested arguments, in order, and the function that puts others in their places. */
export function flattenValues<T>(tree: T): {
  readonly values: readonly Value[];
  readonly restore: (values: readonly Value[]) => T;
} {
  const restore = (values: readonly Value[]): T => {
    let next = 0;
    return mapTree(tree, isValue, (leaf: unknown) => (isValue(leaf) ? values[next++] : leaf)) as T;
  };
  return { values: leavesOf(tree, isValue).filter(isValue), restore };
}
