// PyTorch's nn.Linear.
import { GatewiseError, show } from '../core/errors.ts';
import { flag, readOptions, size } from '../core/options.ts';
import { add } from '../expr/arith.ts';
import type { Value } from '../graph/value.ts';
import { matmul } from '../ops/matmul.ts';
import { parameterOf, uniform, type Layer, type LayerResult, type Parameter, type Values } from './layer.ts';

export interface LinearOptions {
  readonly inputSize: number;
  readonly outputSize: number;
  /** Whether there is a `bias`; true unless given. */
  readonly bias?: boolean;
}

const OPTIONS = { inputSize: size(), outputSize: size(), bias: flag(true) };

/** Maps x (…, inputSize) to y = x · weightᵀ + bias, (…, outputSize); weight (outputSize, inputSize). */
export class Linear implements Layer {
  readonly name = 'Linear';
  readonly parameters: readonly Parameter[];
  readonly states = [] as const;
  readonly inputDType = 'f32';
  readonly timeAxis = undefined;
  readonly ignoresPadding = true;
  readonly inputSize: number;
  readonly outputSize: number;
  readonly bias: boolean;

  constructor(options: LinearOptions) {
    const { inputSize, outputSize, bias } = readOptions('Linear', OPTIONS, options);
    this.inputSize = inputSize;
    this.outputSize = outputSize;
    this.bias = bias;
    const initial = uniform(1 / Math.sqrt(inputSize));
    const weight: Parameter = {
      name: 'weight',
      shape: [outputSize, inputSize],
      quantizable: true,
      initial,
    };
    this.parameters = bias ? [weight, { name: 'bias', shape: [outputSize], initial }] : [weight];
  }

  forward(x: Value, parameters: Values): LayerResult {
    if (x.shape.at(-1) !== this.inputSize) {
      throw new GatewiseError('shape', `Linear: expected input (…, ${this.inputSize}), got ${show(x.shape)}`);
    }
    const product = matmul(x, parameterOf(this, parameters, 'weight'), { transposeB: true });
    return { output: this.bias ? add(product, parameterOf(this, parameters, 'bias')) : product, states: {} };
  }
}
