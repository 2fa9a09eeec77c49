// Minimal recurrent layers, whose gates do not read the state: Feng et al., "Were RNNs All We Needed?" (2024). All products of a
// layer are one matmul, and the linear recurrence is a parallel scan.
import type { Cell } from '../cells/cell.ts';
import { minGRU, minLSTM } from '../cells/min_rnn.ts';
import { checkOptions } from '../core/options.ts';
import { uniform, type Parameter } from './layer.ts';
import { Recurrent } from './recurrent.ts';
import type { RecurrentOptions } from './recurrent_options.ts';

const OPTIONS = [
  'inputSize',
  'hiddenSize',
  'numLayers',
  'bias',
  'batchFirst',
  'bidirectional',
  'dropout',
] as const;

/** Sizes and options, with the names and defaults of PyTorch's recurrent layers. */
export type MinRNNOptions = Pick<RecurrentOptions, (typeof OPTIONS)[number]>;

/** A stack of minimal recurrent layers. Its only state is `h` (numLayers · directions, B, hiddenSize). */
export class MinRNN extends Recurrent {
  constructor(name: string, cell: Cell, options: MinRNNOptions) {
    checkOptions(name, options, OPTIONS);
    super(name, cell, options);
  }

  protected override get isScan(): boolean {
    return true;
  }

  /** PyTorch's range for a Linear, since the layer has no recurrent product. */
  protected override initialOf(width: number): Parameter['initial'] {
    return uniform(1 / Math.sqrt(width));
  }
}

/** h' = (1 - z) · h + z · h̃, where z = σ(W_z x + b_z) and h̃ = W_h x + b_h; gates in the order z, h̃. */
export class MinGRU extends MinRNN {
  constructor(options: MinRNNOptions) {
    super('MinGRU', minGRU, options);
  }
}

/**
 * h' = f / (f + i) · h + i / (f + i) · h̃, where f = σ(W_f x + b_f), i = σ(W_i x + b_i) and h̃ = W_h x + b_h; gates in the
 * order f, i, h̃.
 */
export class MinLSTM extends MinRNN {
  constructor(options: MinRNNOptions) {
    super('MinLSTM', minLSTM, options);
  }
}
