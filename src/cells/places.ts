// Places: the numbers that a step of a cell reads and writes, relative to one row and unit, and the matrices that a step
// multiplies vectors of them by. Both are interned objects. Where a place lies in memory is the schedule's to say
// (ops/recurrent_schedule.ts).
import { Expr, MEAN, topological, type UnitMap } from '../expr/expr.ts';

interface PlaceTraits {
  /** What its width is that of: a slot, a state, H units, or an expression it stands for. */
  readonly width: 'slot' | 'state' | 'hidden' | 'expression';
  /** `unit`: a step reads it at its own unit alone. `vector`: a product reads it at all units, as it lies in memory. */
  readonly read?: 'unit' | 'vector';
}

const KINDS = {
  /** A slot of the step's row of the reserve space, whose first slots are the gates' input parts. */
  slot: { width: 'slot', read: 'vector' },
  /** That slot of the step processed next, and of the layer above at the same step. */
  following: { width: 'slot', read: 'vector' },
  above: { width: 'slot', read: 'vector' },
  /** A state before the step, after it, and h of the layer below after the same step. */
  state: { width: 'state', read: 'vector' },
  after: { width: 'state', read: 'vector' },
  below: { width: 'state', read: 'vector' },
  /** The gradient of a state that passes from step to step, and that of the output. */
  carry: { width: 'state', read: 'unit' },
  output: { width: 'state', read: 'unit' },
  /** A recurrent gate's bias, a weight of one number per unit, the factors of variational dropout. */
  bias: { width: 'hidden' },
  weight: { width: 'hidden' },
  keep: { width: 'state' },
  /** A random number, drawn anew by the backward step, and 1 where the step is not masked. */
  noise: { width: 'expression', read: 'unit' },
  active: { width: 'expression', read: 'unit' },
  /** A gradient that has no slot yet, and that of a product at the step processed next and in the layer above. */
  gradient: { width: 'expression', read: 'vector' },
  gradientNext: { width: 'expression', read: 'vector' },
  gradientAbove: { width: 'expression', read: 'vector' },
  /** Results within a phase. */
  product: { width: 'expression' },
  mean: { width: 'expression' },
} as const satisfies Record<string, PlaceTraits>;

export type PlaceKind = keyof typeof KINDS;

const places = new Map<string, Place>();
const byExpr = new WeakMap<Expr, Place>();

export class Place {
  readonly kind: PlaceKind;
  /** Which slot, state, bias and so on. */
  readonly index: number;
  /** The place as an input of expressions. */
  readonly expr: Expr;

  private constructor(kind: PlaceKind, index: number) {
    this.kind = kind;
    this.index = index;
    this.expr = Expr.input(String(this));
    byExpr.set(this.expr, this);
  }

  static of(kind: PlaceKind, index = 0): Place {
    const name = `${kind}${index}`;
    const place = places.get(name) ?? new Place(kind, index);
    places.set(name, place);
    return place;
  }

  get traits(): PlaceTraits {
    return KINDS[this.kind];
  }

  toString(): string {
    return `${this.kind}${this.index}`;
  }
}

/** The place that an input of a cell's expressions is; undefined for any other expression. */
export const placeOf = (expr: Expr): Place | undefined => byExpr.get(expr);

/** The places that expressions read, in the order of first use. */
export const placesIn = (exprs: readonly Expr[]): Place[] =>
  topological(exprs).flatMap((expr) => placeOf(expr) ?? []);

const H = Place.of('state').expr;
const DROPPED_H = Expr.operation('mul', [H, Place.of('keep').expr]);

/** Whether a product can read a vector where it lies in memory, or as h times the factors of variational dropout. */
export const isVector = (expr: Expr): boolean =>
  placeOf(expr)?.traits.read === 'vector' || expr === DROPPED_H;

/** The matrices of a step: `weight_hh`, `weight_hr`, and in a wavefront `weight_ih`, which multiplies h of the layer below. */
export type MatrixName = 'hh' | 'hr' | 'ih';

/** One gate's rows of a weight matrix, or their transpose. */
export interface WeightPart extends UnitMap {
  readonly matrix: MatrixName;
  /** Which gate's rows, in the order of the matrix. */
  readonly part: number;
  readonly transposed: boolean;
  readonly adjoint: () => WeightPart;
}

const weightParts = new Map<string, WeightPart>();

export function weightPart(matrix: MatrixName, part = 0, transposed = false): WeightPart {
  const name = `${matrix}.${part}${transposed ? "'" : ''}`;
  const known = weightParts.get(name);
  if (known !== undefined) return known;
  const adjoint = (): WeightPart => weightPart(matrix, part, !transposed);
  const made: WeightPart = { name, matrix, part, transposed, adjoint };
  weightParts.set(name, made);
  return made;
}

/** The parts of weight matrices whose products with an expression's operands it sums; undefined for other expressions. */
export function weightPartsOf({ kind }: Expr): readonly WeightPart[] | undefined {
  return 'across' in kind && kind.across[0] !== MEAN ? (kind.across as readonly WeightPart[]) : undefined;
}

export const isMean = ({ kind }: Expr): boolean => 'across' in kind && kind.across[0] === MEAN;
