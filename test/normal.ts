// Standard normal numbers, the same for the same seed.
import { Random, type Runtime, type Shape, type Tensor } from '../src/index.ts';

export function normalNumbers(seed: number, shape: Shape): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal());
}

export const normalTensor = (runtime: Runtime, seed: number, shape: Shape): Tensor =>
  runtime.tensor(normalNumbers(seed, shape), { shape });
