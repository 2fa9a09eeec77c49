// Who takes part, in the order of the tables.
import type { ContestantSource } from './contestant.ts';
import { gatewiseCPU, gatewiseWebGPU } from './gatewise.ts';
import { jaxWebGPU } from './jax.ts';
import { contestantKeys, type ContestantKey } from './keys.ts';
import { onnxWasm, onnxWebGPU } from './onnx.ts';
import { tfjsWasm, tfjsWebGPU } from './tfjs.ts';

const sourcesByKey: Readonly<Record<ContestantKey, readonly ContestantSource[]>> = {
  gatewise: [gatewiseWebGPU()],
  'gatewise-cpu': [gatewiseCPU],
  tfjs: [tfjsWebGPU, tfjsWasm],
  onnx: [onnxWebGPU, onnxWasm],
  jax: [jaxWebGPU],
};

export const sources: readonly ContestantSource[] = (Object.keys(contestantKeys) as ContestantKey[]).flatMap(
  (key) => sourcesByKey[key],
);
