// What a recurrent cell declares, and what of it the generated steps are made of.
import type { Arith } from '../expr/arith.ts';

/** How a gate's pre-activation comes from its input part and its recurrent part. */
export type GateKind = 'sum' | 'apart' | 'late' | 'input';

/** A gate that is not simply the sum of its two parts. */
export interface SpecialGate<Name extends string = string, Kind extends GateKind = GateKind> {
  readonly name: Name;
  readonly kind: Kind;
}

/** A gate whose update reads `{ input, recurrent }` instead of their sum, as GRU's `n` does. */
export function apart<const Name extends string>(name: Name): SpecialGate<Name, 'apart'> {
  return { name, kind: 'apart' };
}

/**
 * A gate that is a function in the update, called once: `n(x)` is its input part and its recurrent weights times `x`, which the
 * update has worked out, where other gates' weights take h. So the first GRU resets before the product: `n(mul(r, h))`.
 */
export function late<const Name extends string>(name: Name): SpecialGate<Name, 'late'> {
  return { name, kind: 'late' };
}

/** A gate that sees the input alone and has no recurrent weights. */
export function inputOnly<const Name extends string>(name: Name): SpecialGate<Name, 'input'> {
  return { name, kind: 'input' };
}

export type GateSpec = string | SpecialGate;
type NamesOf<Gates extends readonly GateSpec[], Kind extends GateKind> = Extract<
  Gates[number],
  SpecialGate<string, Kind>
>['name'];

/** What an update reads of the gates: pre-activations, of shape (rows, hidden), one element at a time. */
export type GateValues<T, Gates extends readonly GateSpec[]> = {
  readonly [G in Extract<Gates[number], string> | NamesOf<Gates, 'input'>]: T;
} & {
  readonly [G in NamesOf<Gates, 'apart'>]: { readonly input: T; readonly recurrent: T };
} & {
  readonly [G in NamesOf<Gates, 'late'>]: (x: T) => T;
};

/** What an update can do beyond arithmetic at one unit. */
export interface Across<T> {
  /** The mean of a value over all units of its row. */
  readonly mean: (x: T) => T;
  /** The cell's projection: `weight_hr` times a value, from the hidden size to the projected size. */
  readonly project: (x: T) => T;
  /** A number drawn evenly from [0, 1), another for each call, step, row and unit; the backward pass draws it again. */
  readonly random: () => T;
}

/** Initial value of a weight: one number, or drawn as PyTorch draws a recurrent layer's. */
export type Initial = number | 'uniform';

export interface CellDeclaration<
  Gates extends readonly GateSpec[],
  State extends string,
  Weight extends string,
> {
  /** Names the cell in kernels' labels, errors and tables. */
  readonly name: string;
  /** In the order of the rows of `weight_ih` and, those with recurrent weights, of `weight_hh`. */
  readonly gates: Gates;
  /** `h` comes first and feeds the recurrent product; all have the hidden size, but `h` the projected one where the cell projects. */
  readonly states: readonly ['h', ...State[]];
  /** Weights of one number per unit, by name, with their initial values; in a layer's checkpoint `NAME_l0` and so on. */
  readonly weights?: Readonly<Record<Weight, Initial>>;
  /** Whether the update projects h with `weight_hr`. */
  readonly projects?: boolean;
  /**
   * Factors of h, one for each row and unit, that the recurrent product takes in: variational dropout. A layer sees to it
   * by its option `recurrentDropout`, for any cell.
   */
  readonly dropsRecurrent?: boolean;
  /** New states from gates and previous states; written once, it runs on scalars and on tensors. */
  readonly update: <T extends Arith<T>>(
    gates: GateValues<T, Gates>,
    states: { readonly [S in State | 'h']: T },
    more: Across<T> & { readonly [W in Weight]: T },
  ) => { readonly [S in State | 'h']: T };
}

export interface Gate {
  readonly name: string;
  readonly kind: GateKind;
}

/** What a cell's update is run on: how its values are had, for scalars or for tensors. */
export interface Source<T> extends Across<T> {
  /** The input part of a gate. */
  readonly input: (gate: number) => T;
  /** Row `part` of `weight_hh`, counted in gates, times x, and the bias of that gate where there is one. */
  readonly product: (part: number, x: T) => T;
  readonly state: (state: number) => T;
  readonly weight: (weight: number) => T;
  /** Variational dropout's factors of h. */
  readonly keep: () => T;
}

/** A cell without what is generated from it. */
export interface CellParts {
  readonly name: string;
  readonly gates: readonly Gate[];
  readonly states: readonly string[];
  readonly weights: readonly { readonly name: string; readonly initial: Initial }[];
  readonly projects: boolean;
  readonly dropsRecurrent: boolean;
  /** Gates with recurrent weights: the parts of `weight_hh` and `bias_hh`, in order. */
  readonly recurrentGates: readonly number[];
  /** The declared update on values of any kind: the new states. */
  readonly apply: <T extends Arith<T>>(source: Source<T>) => T[];
  /** The declaration it came from, for cells made of cells. */
  readonly declaration: CellDeclaration<readonly GateSpec[], string, string>;
}
