// Nested arguments and results (pytrees in JAX): a tree is a leaf, or a list or plain object of trees.

export type Tree<Leaf> = Leaf | readonly Tree<Leaf>[] | { readonly [key: string]: Tree<Leaf> };

/** The same nesting with another leaf type. */
export type MapTree<T, From, To> = T extends From
  ? To
  : T extends readonly unknown[]
    ? { [K in keyof T]: MapTree<T[K], From, To> }
    : T extends object
      ? { [K in keyof T]: MapTree<T[K], From, To> }
      : T;

/** The tree with each leaf replaced by `visit(leaf, path)`, called in order; a path is such as `0.weight`. */
export function mapTree<Leaf, To>(
  tree: unknown,
  isLeaf: (node: unknown) => node is Leaf,
  visit: (leaf: Leaf, path: string) => To,
  path = '',
): unknown {
  const childPath = (key: string | number): string => (path === '' ? String(key) : `${path}.${key}`);
  if (isLeaf(tree)) return visit(tree, path);
  if (Array.isArray(tree)) return tree.map((node: unknown, i) => mapTree(node, isLeaf, visit, childPath(i)));
  if (typeof tree === 'object' && tree !== null) {
    return Object.fromEntries(
      Object.entries(tree).map(([key, node]) => [key, mapTree(node, isLeaf, visit, childPath(key))]),
    );
  }
  return visit(tree as Leaf, path);
}

/** A list as a tree in which the only item of a list has the list's own name. */
export const joined = <T>(list: readonly T[]): T | readonly T[] => (list.length === 1 ? list[0] : list);

/** The list of which `joined` made a tree. */
export const listOf = <T extends object>(tree: T | readonly T[]): readonly T[] =>
  Array.isArray(tree) ? (tree as readonly T[]) : [tree as T];

/** The leaves of a tree, in order. */
export function leavesOf<Leaf>(tree: unknown, isLeaf: (node: unknown) => node is Leaf): Leaf[] {
  const leaves: Leaf[] = [];
  mapTree(tree, isLeaf, (leaf) => void leaves.push(leaf));
  return leaves;
}
