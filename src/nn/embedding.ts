// PyTorch's nn.Embedding.
import type { Value } from '../graph/value.ts';
import { gather } from '../ops/gather.ts';
import { checkSize, parameterOf, type Layer, type Parameter, type Values } from './layer.ts';

/** A row of `weight` (numEmbeddings, embeddingDim) for each index: i32 (…) to f32 (…, embeddingDim). */
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
    checkSize('Embedding', 'numEmbeddings', numEmbeddings);
    checkSize('Embedding', 'embeddingDim', embeddingDim);
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.parameters = [
      { name: 'weight', shape: [numEmbeddings, embeddingDim], initial: (random) => random.normal() },
    ];
  }

  forward(x: Value, parameters: Values): { output: Value; states: Values } {
    return { output: gather(parameterOf(this, parameters, 'weight'), x), states: {} };
  }
}
