// Cells that a parallel scan over time can run: their gates see the input alone, and h' = a·h + b with a and b of the gates.
import { constantOf, derivative, Expr, inputsOf, substitute, topological } from '../expr/expr.ts';
import { inputName } from '../expr/operands.ts';
import type { CellParts } from './declaration.ts';

const H = 'h';

/** a and b of h' = a·h + b over the gates' pre-activations, `in0`… in the cell's order; undefined for other cells. */
export function scanStep(cell: CellParts): readonly [a: Expr, b: Expr] | undefined {
  const { gates, states, weights, projects } = cell;
  if (states.length > 1 || weights.length > 0 || projects || gates.some(({ kind }) => kind !== 'input'))
    return undefined;
  const other = (): Expr => Expr.input('other');
  const [next] = cell.apply<Expr>({
    input: (gate) => Expr.input(inputName(gate)),
    state: () => Expr.input(H),
    product: other,
    weight: other,
    keep: other,
    mean: other,
    project: other,
    random: other,
  });
  const [a] = derivative([next], [Expr.constant(1)], [H]);
  const [b] = substitute([next], new Map([[H, Expr.constant(0)]]));
  const read = inputsOf([a, b]);
  const isAffine = !read.includes(H) && !read.includes('other') && constantOf(a) === undefined;
  const isPointwise = topological([a, b]).every(({ kind }) => !('across' in kind));
  return isAffine && isPointwise ? [a, b] : undefined;
}
