import { reshape, type Runtime, type Tensor, type Value } from '../src/index.ts';

/** Lengths that a device has computed, so that the host does not know them. */
export const deviceLengths = (runtime: Runtime, lengths: readonly number[]): Tensor =>
  runtime.compile((x: Value) => reshape(x, [lengths.length]))(Int32Array.from(lengths));
