// The options of recurrent layers: their table, and checks of options against each other and against the cell.
import type { Cell } from '../cells/cell.ts';
import { checkZoneout, type ZoneoutRates } from '../cells/regularised.ts';
import { GatewiseError, show } from '../core/errors.ts';
import {
  flag,
  oneOf,
  option,
  probability,
  readOption,
  readOptions,
  size,
  unchecked,
  wholeNumber,
  withMethods,
  type Complete,
} from '../core/options.ts';

/** Sizes and options, with PyTorch's names and defaults. */
export interface RecurrentOptions {
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** Stacked layers; 1 unless given. */
  readonly numLayers?: number;
  /** Whether the layers have `bias_ih` and `bias_hh`; true unless given. */
  readonly bias?: boolean;
  /** Input and output are (B, T, …) instead of (T, B, …); false unless given. States keep their shapes. */
  readonly batchFirst?: boolean;
  /** Dropout probability in training of each layer's output, except the last layer's; 0 unless given. */
  readonly dropout?: number;
  /** A second direction runs from the last step to the first; outputs are concatenated by features. False unless given. */
  readonly bidirectional?: boolean;
  /** For cells that project: the size of h, below hiddenSize; 0 (no projection) unless given. */
  readonly projSize?: number;
  /** Variational dropout: probability in training that a unit of h is dropped from W_hh·h, with one mask for all steps. */
  readonly recurrentDropout?: number;
  /** Probability in training that a unit of a state keeps its previous value: one number, or one for each state by name. */
  readonly zoneout?: ZoneoutRates;
  /**
   * Gradient checkpointing: the forward pass saves only the values between layers, and the backward pass recomputes the
   * rest, so gradients are bit for bit the same. A number recomputes at most so many steps at a time: activations of only
   * those steps are in memory at once, and gradients are summed segment by segment.
   */
  readonly recompute?: boolean | number;
  /**
   * Wavefront execution: all layers share each launch over a sequence, each one step behind the layer below. If a layer needs
   * one launch per step, T + numLayers - 1 launches replace numLayers · T; each does more work, and the saved activations of
   * all layers are in memory at once. Results agree up to rounding. `'auto'`, the default, uses it if `runtime.calibrate()`,
   * called before the first run on a shape, has measured that a launch takes longer than such a step, and never with
   * `recompute`. `true` requires one direction, no dropout, zoneout or recurrentDropout, a cell without random numbers, and
   * weights in float32 or f16.
   */
  readonly wavefront?: boolean | 'auto';
}

const OPTIONS = {
  inputSize: size(),
  hiddenSize: size(),
  numLayers: size(1),
  bias: flag(true),
  batchFirst: flag(false),
  dropout: probability(0),
  bidirectional: flag(false),
  projSize: wholeNumber(0, 0),
  recurrentDropout: probability(0),
  zoneout: unchecked<ZoneoutRates>(0),
  recompute: option<boolean | number>(
    'true, false or a whole number of steps',
    (value) => typeof value === 'boolean' || size().accepts(value),
    false,
  ),
  wavefront: oneOf([true, false, 'auto'], 'auto'),
};

export type FullOptions = Complete<typeof OPTIONS>;

/** All options with their defaults. @param own Names of the layer's further options, which it reads itself. */
export function completeOptions(
  name: string,
  cell: Cell,
  options: RecurrentOptions,
  own: readonly string[],
): FullOptions {
  if (typeof name !== 'string')
    throw new GatewiseError(
      'argument',
      `Recurrent: expected a name, a cell and options, got ${show(name)} first`,
    );
  readOption(
    name,
    'cell',
    withMethods<Cell>('a cell, such as lstm or what defineCell returns', 'program'),
    cell,
  );
  const full = readOptions(name, OPTIONS, options, own);
  if (full.dropout > 0 && full.numLayers === 1) warnOfDropout(name, cell);
  checkZoneout(name, cell, full.zoneout);
  checkProjection(name, cell, full);
  if (full.recurrentDropout > 0) checkRecurrentDropout(name, cell);
  const hindrance = full.bidirectional ? 'bidirectional' : wavefrontHindrance(full);
  if (full.wavefront === true && hindrance !== undefined)
    throw new GatewiseError(
      'unsupported',
      `${name}: layers with ${hindrance} cannot share launches; leave out wavefront or ${hindrance}`,
    );
  return full;
}

let hasWarned = false;

/** A layer without another above it has nothing between layers that could be dropped, as in PyTorch, which warns too. */
function warnOfDropout(name: string, cell: Cell): void {
  if (hasWarned) return;
  hasWarned = true;
  const others = ['add layers', 'a Dropout after the layer'];
  if (recurrentDropoutProblem(cell) === undefined) others.push('recurrentDropout');
  // oxlint-disable-next-line no-console -- the option is valid, and does nothing
  console.warn(
    `gatewise: ${name}: dropout is between layers, and numLayers is 1, so it does nothing; ${others.slice(0, -1).join(', ')} or ${others.at(-1)}`,
  );
}

function checkProjection(name: string, cell: Cell, { projSize, hiddenSize }: FullOptions): void {
  if (projSize >= hiddenSize)
    throw new GatewiseError(
      'argument',
      `${name}: projSize must be below hiddenSize ${hiddenSize}, or 0 for no projection, got ${projSize}`,
    );
  if (projSize > 0 && !cell.projects)
    throw new GatewiseError(
      'unsupported',
      `${name}: the cell ${show(cell.name)} has no projection; leave out projSize`,
    );
  if (projSize === 0 && cell.projects)
    throw new GatewiseError('argument', `${name}: the cell ${show(cell.name)} projects h; give projSize`);
}

/** Why a cell has no recurrentDropout; undefined if it has. */
function recurrentDropoutProblem(cell: Cell): string | undefined {
  if (cell.recurrentGates.length === 0) return 'has no recurrent weights';
  const late = cell.gates.find(({ kind }) => kind === 'late');
  return late && `computes itself what the weights of its gate ${show(late.name)} multiply`;
}

function checkRecurrentDropout(name: string, cell: Cell): void {
  const problem = recurrentDropoutProblem(cell);
  if (problem !== undefined)
    throw new GatewiseError(
      'unsupported',
      `${name}: the cell ${show(cell.name)} ${problem}; leave out recurrentDropout`,
    );
}

/** The first option in use with which no wavefront runs: in training it draws random numbers between layers or in a step. */
function wavefrontHindrance({ dropout, zoneout, recurrentDropout }: FullOptions): string | undefined {
  const rates = {
    dropout: [dropout],
    zoneout: typeof zoneout === 'number' ? [zoneout] : Object.values(zoneout),
    recurrentDropout: [recurrentDropout],
  };
  return Object.entries(rates).find(([, list]) => list.some((rate) => rate > 0))?.[0];
}

/** The nonlinearity of PyTorch's RNN. */
export function checkNonlinearity(name: string, given?: 'tanh' | 'relu'): 'tanh' | 'relu' {
  return readOption(name, 'nonlinearity', oneOf(['tanh', 'relu'], 'tanh'), given);
}
