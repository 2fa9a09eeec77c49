// Cells that a parallel scan over time can run: h' = a·h + b, where a and b are functions of gates that read only the input.
import { GatewiseError } from '../core/errors.ts';
import { derivative, Expr, inputName, inputsOf, substitute } from '../expr/expr.ts';
import type { CellParts } from './declaration.ts';

const H = 'h';

/**
 * a and b of h' = a·h + b over the gates' pre-activations, `in0`… in the cell's order. The cell must be of this form.
 * @throws GatewiseError `internal` for a cell that a scan cannot run.
 */
export function scanStep(cell: CellParts): readonly [a: Expr, b: Expr] {
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
  if (cell.states.length > 1 || read.includes(H) || read.includes('other'))
    throw new GatewiseError('internal', `scan: the cell "${cell.name}" is not of the form h' = a·h + b`);
  return [a, b];
}
