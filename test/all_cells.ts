// All cells for tests: those of the library and one more.
import { defineCell, type Cell } from '../src/cells/cell.ts';
import { apart } from '../src/cells/declaration.ts';
import { allCells as declaredCells } from '../src/cells/index.ts';
import { add, mul, sigmoid, sub, tanh } from '../src/expr/arith.ts';

/** A cell with two states and an `apart` gate between two that are not. */
export const unusualCell: Cell = defineCell({
  name: 'unusual',
  gates: ['u', apart('n'), 'o'],
  states: ['h', 'm'],
  update: ({ u, n, o }, { h, m }) => {
    const update = sigmoid(u);
    const candidate = tanh(add(n.input, mul(sigmoid(m), n.recurrent)));
    const next = add(mul(update, m), mul(sub(1, update), candidate));
    return { m: next, h: sub(mul(sigmoid(o), tanh(next)), mul(0.25, h)) };
  },
});

export const allCells: readonly Cell[] = [...declaredCells, unusualCell];
