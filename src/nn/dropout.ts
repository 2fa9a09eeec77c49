// PyTorch's nn.Dropout.
import { probability, readOptions } from '../core/options.ts';
import { expectValue, type Value } from '../graph/value.ts';
import { dropout } from '../ops/dropout.ts';
import type { Context } from './context.ts';
import type { Layer, LayerResult, Values } from './layer.ts';

export interface DropoutOptions {
  /** 0.5 unless given. */
  readonly p?: number;
}

const OPTIONS = { p: probability(0.5) };

/**
 * x: f32 of any shape. In training each element becomes 0 with probability `p` and x / (1 - p) otherwise.
 * In inference, where the context has no noise, the output is x.
 */
export class Dropout implements Layer {
  readonly name = 'Dropout';
  readonly parameters = [] as const;
  readonly states = [] as const;
  readonly inputDType = 'f32';
  readonly timeAxis = undefined;
  readonly ignoresPadding = true;
  readonly p: number;

  constructor(options: DropoutOptions = {}) {
    this.p = readOptions('Dropout', OPTIONS, options).p;
  }

  forward(x: Value, _parameters: Values, _states: Values = {}, { noise }: Context = {}): LayerResult {
    expectValue('Dropout: input', x, 'f32');
    return { output: noise === undefined ? x : dropout(x, this.p, noise), states: {} };
  }
}
