// The contestants, in the order of the tables.
import type { ContestantSource } from './contestant.ts';
import { gatewise } from './gatewise.ts';
import { jaxWebGPU } from './jax.ts';
import { onnxWasm, onnxWebGPU } from './onnx.ts';
import { tfjsWasm, tfjsWebGPU } from './tfjs.ts';

const importLibrary = () => import('../../src/index.ts');

export const sources: readonly ContestantSource[] = [
  gatewise('webgpu', importLibrary),
  gatewise('cpu', importLibrary),
  tfjsWebGPU,
  tfjsWasm,
  onnxWebGPU,
  onnxWasm,
  jaxWebGPU,
];
