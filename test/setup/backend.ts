// The backend of this run. A file of test/both runs once on each: on the CPU in the project `unit`, on WebGPU in `node`.
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    backend: 'cpu' | 'webgpu';
  }
}

export const backend = inject('backend');

/** For `describe.each` and `test.each` of tests that concern one backend only. */
export const on = (only: typeof backend): readonly (typeof backend)[] => (backend === only ? [only] : []);
