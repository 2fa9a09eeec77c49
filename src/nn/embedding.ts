// PyTorch's nn.Embedding.
import { readOption, size } from '../core/options.ts';
import type { Value } from '../graph/value.ts';
import { gather } from '../ops/gather.ts';
import { parameterOf, type Layer, type LayerResult, type Parameter, type Values } from './layer.ts';

/** Maps x, i32 (…), to the rows of `weight` (numEmbeddings, embeddingDim) with these indices: f32 (…, embeddingDim). */
export class Embedding implements Layer {
  readonly name = 'Embedding';
  readonly parameters: readonly Parameter[];
  readonly states = [] as const;
  readonly inputDType = 'i32';
  readonly timeAxis = undefined;
  readonly ignoresPadding = true;
  readonly numEmbeddings: number;
  readonly embeddingDim: number;

  constructor(numEmbeddings: number, embeddingDim: number) {
    this.numEmbeddings = readOption('Embedding', 'numEmbeddings', size(), numEmbeddings);
    this.embeddingDim = readOption('Embedding', 'embeddingDim', size(), embeddingDim);
    this.parameters = [
      { name: 'weight', shape: [numEmbeddings, embeddingDim], initial: (random) => random.normal() },
    ];
  }

  forward(x: Value, parameters: Values): LayerResult {
    return { output: gather(parameterOf(this, parameters, 'weight'), x), states: {} };
  }
}
