// The options of recurrent layers, their meaning and what is said of wrong ones.
import type { Cell } from '../cells/cell.ts';
import { checkZoneout, type ZoneoutRates } from '../cells/regularised.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { checkFlag, checkOptions } from '../core/options.ts';
import { checkProbability } from '../ops/dropout.ts';
import { checkSize } from './layer.ts';

/** Sizes and options, with PyTorch's names and defaults. */
export interface RecurrentOptions {
  readonly inputSize: number;
  readonly hiddenSize: number;
  /** Layers stacked on each other; 1 unless given. */
  readonly numLayers?: number;
  /** Whether the layers have `bias_ih` and `bias_hh`; true unless given. */
  readonly bias?: boolean;
  /** Input and output are (B, T, …) instead of (T, B, …); false unless given. States never change their shape. */
  readonly batchFirst?: boolean;
  /** The share of each layer's output, but the last's, that is dropped while training; 0 unless given. */
  readonly dropout?: number;
  /** A second direction that goes from the last step to the first; outputs lie side by side. False unless given. */
  readonly bidirectional?: boolean;
  /** The size of a projected h, below hiddenSize, of cells that project; 0, which is none, unless given. */
  readonly projSize?: number;
  /** Variational dropout: the share of h that is dropped in the recurrent product while training, the same at every step. */
  readonly recurrentDropout?: number;
  /** How likely a unit of a state keeps its value while training: one number, or one for each state. */
  readonly zoneout?: ZoneoutRates;
  /**
   * Keep from the forward pass only what goes from layer to layer, and compute the rest again for the gradients, which
   * are the same bit for bit. A number is how many steps are computed again at a time, at most: a long sequence then
   * needs memory for so many, and its gradients are summed segment by segment.
   */
  readonly recompute?: boolean | number;
  /**
   * Whether all layers share each launch over a sequence, each a step behind the one below. Where a layer takes a launch for
   * each step, T + numLayers - 1 launches then do what takes T for each layer, with more work in each, and with what every layer
   * keeps of a sequence in memory at once. Results are the same but for rounding. Unless given, where a launch takes the device
   * longer than such a step, by what `runtime.calibrate()` had measured when the model first ran on such a shape, and nothing is
   * to be computed again. True is for layers of one direction without dropout, zoneout and recurrentDropout, of cells that draw
   * no random numbers, with weights in float32 or f16.
   */
  readonly wavefront?: boolean | 'auto';
}

const OPTIONS: readonly string[] = [
  'inputSize',
  'hiddenSize',
  'numLayers',
  'bias',
  'batchFirst',
  'dropout',
  'bidirectional',
  'projSize',
  'recurrentDropout',
  'zoneout',
  'recompute',
  'wavefront',
];

export type FullOptions = Required<RecurrentOptions>;

/** All options with their defaults. @param own further options of the layer. */
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
  if (typeof cell?.program !== 'function')
    throw new GatewiseError(
      'argument',
      `${name}: expected a cell, such as lstm or what defineCell gives, got ${show(cell)}`,
    );
  checkOptions(name, options, [...OPTIONS, ...own]);
  const full: FullOptions = {
    numLayers: 1,
    bias: true,
    batchFirst: false,
    dropout: 0,
    bidirectional: false,
    projSize: 0,
    recurrentDropout: 0,
    zoneout: 0,
    recompute: false,
    wavefront: 'auto',
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
  } as FullOptions;
  for (const option of ['inputSize', 'hiddenSize', 'numLayers'] as const)
    checkSize(name, option, full[option]);
  for (const option of ['bias', 'batchFirst', 'bidirectional'] as const)
    checkFlag(name, option, full[option]);
  if (typeof full.recompute !== 'boolean' && !(Number.isInteger(full.recompute) && full.recompute > 0))
    throw new GatewiseError(
      'argument',
      `${name}: recompute must be true, false or a whole number of steps, got ${show(full.recompute)}`,
    );
  if (![true, false, 'auto'].includes(full.wavefront))
    throw new GatewiseError(
      'argument',
      `${name}: wavefront must be true, false or 'auto', got ${show(full.wavefront)}`,
    );
  for (const option of ['dropout', 'recurrentDropout'] as const) checkProbability(name, option, full[option]);
  checkZoneout(name, cell, full.zoneout);
  const { projSize, hiddenSize, recurrentDropout } = full;
  if (!Number.isInteger(projSize) || projSize < 0 || projSize >= hiddenSize) {
    throw new GatewiseError(
      'argument',
      `${name}: projSize must be a whole number from 0, which is no projection, to below hiddenSize ${hiddenSize}, got ${show(projSize)}`,
    );
  }
  if (projSize > 0 && !cell.projects)
    throw new GatewiseError(
      'unsupported',
      `${name}: the cell ${show(cell.name)} has no projection; leave out projSize`,
    );
  if (projSize === 0 && cell.projects)
    throw new GatewiseError('argument', `${name}: the cell ${show(cell.name)} projects h; give projSize`);
  if (recurrentDropout > 0) {
    const refuse = (why: string): never => {
      throw new GatewiseError(
        'unsupported',
        `${name}: the cell ${show(cell.name)} ${why}; leave out recurrentDropout`,
      );
    };
    if (cell.recurrentGates.length === 0) refuse('has no recurrent weights');
    const late = cell.gates.find(({ kind }) => kind === 'late');
    if (late !== undefined) refuse(`works out itself what the weights of its gate ${show(late.name)} take`);
  }
  const hindrance = full.bidirectional ? 'bidirectional' : wavefrontHindrance(full);
  if (full.wavefront === true && hindrance !== undefined)
    throw new GatewiseError(
      'unsupported',
      `${name}: layers with ${hindrance} cannot share launches; leave out wavefront or ${hindrance}`,
    );
  return full;
}

/** The option that comes between a layer's step and that of the layer above, or draws random numbers, while training. */
export function wavefrontHindrance({ dropout, zoneout, recurrentDropout }: FullOptions): string | undefined {
  const rates = {
    dropout: [dropout],
    zoneout: typeof zoneout === 'number' ? [zoneout] : Object.values(zoneout),
    recurrentDropout: [recurrentDropout],
  };
  return Object.entries(rates).find(([, list]) => list.some((rate) => rate > 0))?.[0];
}

/** Throws unless it is one that PyTorch's RNN has. */
export function checkNonlinearity(name: string, given: 'tanh' | 'relu' = 'tanh'): 'tanh' | 'relu' {
  if (given !== 'tanh' && given !== 'relu') {
    throw new GatewiseError('argument', `${name}: nonlinearity must be 'tanh' or 'relu', got ${show(given)}`);
  }
  return given;
}
