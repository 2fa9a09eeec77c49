// PyTorch's nn.Embedding.
import { readOptions, size } from '../core/options.ts';
import type { Value } from '../graph/value.ts';
import { gather } from '../ops/gather.ts';
import { parameterOf, type Layer, type LayerResult, type Parameter, type Values } from './layer.ts';

export interface EmbeddingOptions {
  /** Rows of the table: indices are 0 to numEmbeddings - 1. */
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
}

const OPTIONS = { numEmbeddings: size(), embeddingDim: size() };

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

  constructor(options: EmbeddingOptions) {
    const { numEmbeddings, embeddingDim } = readOptions('Embedding', OPTIONS, options);
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.parameters = [
      { name: 'weight', shape: [numEmbeddings, embeddingDim], initial: (random) => random.normal() },
    ];
  }

  forward(x: Value, parameters: Values): LayerResult {
    return { output: gather(parameterOf(this, parameters, 'weight'), x), states: {} };
  }
}
