// Types: a cell's declaration, and the parts from which the forward and backward step are generated.
import type { Arith } from '../expr/arith.ts';

/**
 * How the update receives a gate's input part W_ih·x + b_ih and its recurrent part W_hh·h + b_hh: as a `sum`, `apart`, `late`
 * (W_hh multiplies a vector that the update computes, not h), or the `input` part alone.
 */
export type GateKind = 'sum' | 'apart' | 'late' | 'input';

/** A gate with the way in which the update receives it. */
export interface Gate {
  readonly name: string;
  readonly kind: GateKind;
}

type SpecialKind = Exclude<GateKind, 'sum'>;

/** A gate of a declaration that is not of kind `sum`; a name alone is one. */
export interface SpecialGate<
  Name extends string = string,
  Kind extends SpecialKind = SpecialKind,
> extends Gate {
  readonly name: Name;
  readonly kind: Kind;
}

/** A gate that the update receives as `{ input, recurrent }` instead of their sum, as GRU's `n`. */
export function apart<const Name extends string>(name: Name): SpecialGate<Name, 'apart'> {
  return { name, kind: 'apart' };
}

/**
 * A gate that the update calls once, as a function: `n(v)` is its input part plus W_hh·v + b_hh, where v is a vector that the
 * update computes. In the GRU of Cho et al. (2014) v is the reset h: `n(mul(r, h))`.
 */
export function late<const Name extends string>(name: Name): SpecialGate<Name, 'late'> {
  return { name, kind: 'late' };
}

/** A gate that is its input part alone; it has no recurrent weights. */
export function inputOnly<const Name extends string>(name: Name): SpecialGate<Name, 'input'> {
  return { name, kind: 'input' };
}

export type GateSpec = string | SpecialGate;
type NamesOf<Gates extends readonly GateSpec[], Kind extends SpecialKind> = Extract<
  Gates[number],
  SpecialGate<string, Kind>
>['name'];

/** The gates as the update receives them: pre-activations (B, H), one element at a time. */
export type GateValues<T, Gates extends readonly GateSpec[]> = {
  readonly [G in Extract<Gates[number], string> | NamesOf<Gates, 'input'>]: T;
} & {
  readonly [G in NamesOf<Gates, 'apart'>]: { readonly input: T; readonly recurrent: T };
} & {
  readonly [G in NamesOf<Gates, 'late'>]: (x: T) => T;
};

/** Functions of the update that read other units or random numbers. */
export interface Across<T> {
  /** The mean over all units of a row. */
  readonly mean: (x: T) => T;
  /** The projection W_hr·x: (H) to (W). */
  readonly project: (x: T) => T;
  /** Uniform in [0, 1), independent for each call, step, row and unit. The backward pass draws the same numbers again. */
  readonly random: () => T;
}

/** Initial value of a weight: a constant, or uniform in ±1/√H as PyTorch initialises recurrent layers. */
export type Initial = number | 'uniform';

export interface CellDeclaration<
  Gates extends readonly GateSpec[],
  State extends string,
  Weight extends string,
> {
  /** Appears in labels of kernels, in errors and in tables. */
  readonly name: string;
  /** In the order of their rows in `weight_ih` and, for gates with recurrent weights, in `weight_hh`. */
  readonly gates: Gates;
  /** `h` comes first and feeds the recurrent product. Each is (B, H); `h` of a cell that projects is (B, W). */
  readonly states: readonly ['h', ...State[]];
  /** Weights (H), one number per unit, with their initial values by name; a layer's parameters are `NAME_l0` and so on. */
  readonly weights?: Readonly<Record<Weight, Initial>>;
  /** Whether the update projects h with `weight_hr`. */
  readonly projects?: boolean;
  /**
   * Variational dropout: whether the recurrent product reads h times a mask of h's shape. The option `recurrentDropout` of a
   * layer sets it, for any cell.
   */
  readonly dropsRecurrent?: boolean;
  /** New states from gates and previous states; generic, so that it runs on scalar expressions and on tensors. */
  readonly update: <T extends Arith<T>>(
    gates: GateValues<T, Gates>,
    states: { readonly [S in State | 'h']: T },
    more: Across<T> & { readonly [W in Weight]: T },
  ) => { readonly [S in State | 'h']: T };
}

/** Provides the values that an update reads, as scalar expressions or as tensors. */
export interface Source<T> extends Across<T> {
  /** The input part of a gate. */
  readonly input: (gate: number) => T;
  /** W_hh·x for the rows of recurrent gate number `part`, plus that part of `bias_hh` if there is one. */
  readonly product: (part: number, x: T) => T;
  readonly state: (state: number) => T;
  readonly weight: (weight: number) => T;
  /** The mask of variational dropout: 0 or 1 / (1 - p) for each unit of h. */
  readonly keep: () => T;
}

/** A cell without its generated program. */
export interface CellParts {
  readonly name: string;
  readonly gates: readonly Gate[];
  readonly states: readonly string[];
  readonly weights: readonly { readonly name: string; readonly initial: Initial }[];
  readonly projects: boolean;
  readonly dropsRecurrent: boolean;
  /** Indices of the gates with recurrent weights, in the order of their parts of `weight_hh` and `bias_hh`. */
  readonly recurrentGates: readonly number[];
  /** Runs the declared update: the new states in the order of `states`. */
  readonly apply: <T extends Arith<T>>(source: Source<T>) => T[];
  /** The declaration itself, from which zoneout and variational dropout derive other cells. */
  readonly declaration: CellDeclaration<readonly GateSpec[], string, string>;
}

/** Throws an error that names the cell. */
export type Fail = (problem: string) => never;
