// Cells that are derived from a cell, each made once.
import type { Cell } from './cell.ts';

const made = new WeakMap<Cell, Map<string, Cell>>();

/** The cell that was derived from another one under this key, or the one that `make` derives now. */
export function derive(cell: Cell, key: string, make: () => Cell): Cell {
  const known = made.get(cell) ?? new Map<string, Cell>();
  made.set(cell, known);
  const found = known.get(key) ?? make();
  known.set(key, found);
  return found;
}
