// What `--peers` calls the contestants. Loads none of them: the command reads it outside a page too.

export const contestantKeys = {
  gatewise: 'gatewise on WebGPU',
  'gatewise-cpu': 'gatewise on the CPU, in JavaScript',
  tfjs: 'TensorFlow.js on WebGPU and on WebAssembly',
  onnx: 'ONNX Runtime Web on WebGPU and on WebAssembly with all threads',
  jax: 'jax-js on WebGPU',
} as const;

export type ContestantKey = keyof typeof contestantKeys;
