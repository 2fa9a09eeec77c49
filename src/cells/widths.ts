// The widths of a cell's expressions, inferred from those of its states and slots.
import type { Expr } from '../expr/expr.ts';
import type { Fail } from './declaration.ts';
import { Place, placeOf, weightPartsOf, type WeightPart } from './places.ts';

/** The number of units of a value: H, or P of a projected h. */
export type Width = 'hidden' | 'projection';

/** Infers the width of each expression of a cell. */
export class Widths {
  /** The widths of the slots and of the states. */
  readonly slots: Width[];
  readonly states: readonly Width[];
  readonly #fail: Fail;
  readonly #known = new Map<Expr, Width | undefined>();

  constructor(fail: Fail, slots: Width[], states: readonly Width[]) {
    this.#fail = fail;
    this.slots = slots;
    this.states = states;
  }

  /** The widths of a product: the result's, and the depth, which is that of the vector. */
  of({ matrix, transposed }: WeightPart): { readonly result: Width; readonly depth: Width } {
    const [rows, columns]: readonly Width[] =
      matrix === 'hr' ? [this.states[0], 'hidden'] : ['hidden', this.states[0]];
    return transposed ? { result: columns, depth: rows } : { result: rows, depth: columns };
  }

  /** Says how wide the expression is that a place stands for. */
  define(place: Place, width: Width | undefined): void {
    this.#known.set(place.expr, width);
  }

  /** A new slot for an expression. */
  allocate(expr: Expr): Place {
    return Place.of('slot', this.slots.push(this.at(expr) ?? 'hidden') - 1);
  }

  /** Undefined for what is the same at all units. */
  at(expr: Expr): Width | undefined {
    if (!this.#known.has(expr)) this.#known.set(expr, this.#infer(expr));
    return this.#known.get(expr);
  }

  #infer(expr: Expr): Width | undefined {
    const place = placeOf(expr);
    if (place !== undefined) {
      const { width } = place.traits;
      if (width === 'slot') return this.slots[place.index];
      if (width === 'state') return this.states[place.index];
      return width === 'hidden' ? width : undefined;
    }
    const parts = weightPartsOf(expr);
    if (parts !== undefined) return this.of(parts[0]).result;
    const all = new Set(expr.args.flatMap((arg) => this.at(arg) ?? []));
    if (all.size > 1)
      this.#fail(
        'update combines a value of the hidden size with one of the projected size; project the former first',
      );
    return [...all][0];
  }
}
