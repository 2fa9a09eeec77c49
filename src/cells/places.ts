// Places: the numbers that a cell's step reads and writes, relative to one row and unit; and parts of weight matrices, by which
// the step multiplies vectors of places. Equal places are one object, and so are equal parts. ops/recurrent_schedule.ts gives a
// place its address in memory.
import { Expr, MEAN, topological, type UnitMap } from '../expr/expr.ts';

interface PlaceTraits {
  /** What sets its width: its slot, its state, H, or the expression that it stands for. */
  readonly width: 'slot' | 'state' | 'hidden' | 'expression';
  /** `unit`: a step reads it at its own unit alone. `vector`: a product reads it at all units, as it lies in memory. */
  readonly read?: 'unit' | 'vector';
}

const KINDS = {
  /** A slot of the step's row of the reserve space, whose first slots are the gates' input parts. */
  slot: { width: 'slot', read: 'vector' },
  /** The same slot of the following step, which the backward pass processes before, and of the layer above at the same step. */
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
  /** A random number, which the backward step draws again; and 1 where the step is not masked, else 0. */
  noise: { width: 'expression', read: 'unit' },
  active: { width: 'expression', read: 'unit' },
  /** A gradient that has no slot yet; that of a product at the following step, and in the layer above. */
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

/** The place that an expression stands for; undefined if it stands for none. */
export const placeOf = (expr: Expr): Place | undefined => byExpr.get(expr);

/** The places that expressions read, in the order of first use. */
export const placesIn = (exprs: readonly Expr[]): Place[] =>
  topological(exprs).flatMap((expr) => placeOf(expr) ?? []);

const H = Place.of('state').expr;
const DROPPED_H = Expr.operation('mul', [H, Place.of('keep').expr]);

/** Whether a product can read an expression as its vector: a place in memory, or h times the factors of variational dropout. */
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

/** The weight parts of a sum of products, one for each operand; undefined for any other expression. */
export function weightPartsOf({ kind }: Expr): readonly WeightPart[] | undefined {
  return 'across' in kind && kind.across[0] !== MEAN ? (kind.across as readonly WeightPart[]) : undefined;
}

export const isMean = ({ kind }: Expr): boolean => 'across' in kind && kind.across[0] === MEAN;
