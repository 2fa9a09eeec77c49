// PyTorch's nn.Linear.
import { GatewiseError, show } from '../core/errors.ts';
import { flag, readOption, readOptions, size } from '../core/options.ts';
import { add } from '../expr/arith.ts';
import type { Value } from '../graph/value.ts';
import { matmul } from '../ops/matmul.ts';
import { parameterOf, uniform, type Layer, type LayerResult, type Parameter, type Values } from './layer.ts';

const OPTIONS = { bias: flag(true) };

/** Maps x (…, inFeatures) to y = x · weightᵀ + bias, (…, outFeatures); weight (outFeatures, inFeatures). */
export class Linear implements Layer {
  readonly name = 'Linear';
  readonly parameters: readonly Parameter[];
  readonly states = [] as const;
  readonly inputDType = 'f32';
  readonly timeAxis = undefined;
  readonly ignoresPadding = true;
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias: boolean;

  constructor(inFeatures: number, outFeatures: number, options: { readonly bias?: boolean } = {}) {
    const { bias } = readOptions('Linear', OPTIONS, options);
    this.inFeatures = readOption('Linear', 'inFeatures', size(), inFeatures);
    this.outFeatures = readOption('Linear', 'outFeatures', size(), outFeatures);
    this.bias = bias;
    const initial = uniform(1 / Math.sqrt(inFeatures));
    const weight: Parameter = {
      name: 'weight',
      shape: [outFeatures, inFeatures],
      quantizable: true,
      initial,
    };
    this.parameters = bias ? [weight, { name: 'bias', shape: [outFeatures], initial }] : [weight];
  }

  forward(x: Value, parameters: Values): LayerResult {
    if (x.shape.at(-1) !== this.inFeatures) {
      throw new GatewiseError(
        'shape',
        `Linear: expected input (…, ${this.inFeatures}), got ${show(x.shape)}`,
      );
    }
    const product = matmul(x, parameterOf(this, parameters, 'weight'), { transposeB: true });
    return { output: this.bias ? add(product, parameterOf(this, parameters, 'bias')) : product, states: {} };
  }
}
