// PyTorch's nn.Dropout.
import { expectValue, type Value } from '../graph/value.ts';
import { checkProbability, dropout } from '../ops/dropout.ts';
import type { Context } from './context.ts';
import type { Layer, Values } from './layer.ts';

/**
 * While training each element, f32 of any shape, is 0 with probability `p`, 0.5 unless given, and else scaled by 1 / (1 - p).
 * Without noise, which is inference, the input itself.
 */
export class Dropout implements Layer {
  readonly name = 'Dropout';
  readonly parameters = [] as const;
  readonly states = [] as const;
  readonly inputDType = 'f32';
  readonly timeAxis = undefined;
  readonly ignoresPadding = true;
  readonly p: number;

  constructor(p = 0.5) {
    checkProbability('Dropout', 'p', p);
    this.p = p;
  }

  forward(
    x: Value,
    _parameters: Values,
    _states: Values = {},
    { noise }: Context = {},
  ): { output: Value; states: Values } {
    expectValue('Dropout: input', x, 'f32');
    return { output: noise === undefined ? x : dropout(x, this.p, noise), states: {} };
  }
}
