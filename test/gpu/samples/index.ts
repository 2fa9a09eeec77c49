// The samples of all ops: small graphs over awkward shapes, for conformance tests and gradient checks. A new op adds a file
// here and its name below; op_samples.test.ts fails until it does.
import type { OpSamples, Sample } from '../sample.ts';
import * as after from './after.ts';
import * as broadcast from './broadcast.ts';
import * as checkpoint from './checkpoint.ts';
import * as composite from './composite.ts';
import * as concat from './concat.ts';
import * as constant from './constant.ts';
import * as copy from './copy.ts';
import * as dropout from './dropout.ts';
import * as elementwise from './elementwise.ts';
import * as empty from './empty.ts';
import * as enter from './enter.ts';
import * as fakeQuantize from './fake_quantize.ts';
import * as gap from './gap.ts';
import * as gather from './gather.ts';
import * as linearScan from './linear_scan.ts';
import * as linearScanBackward from './linear_scan_backward.ts';
import * as matmul from './matmul.ts';
import * as pack from './pack.ts';
import * as recurrent from './recurrent.ts';
import * as recurrentBackward from './recurrent_backward.ts';
import * as reduce from './reduce.ts';
import * as reshape from './reshape.ts';
import * as scatter from './scatter.ts';
import * as sequenceMask from './sequence_mask.ts';
import * as softmaxCrossEntropy from './softmax_cross_entropy.ts';
import * as softmaxCrossEntropyBackward from './softmax_cross_entropy_backward.ts';
import * as split from './split.ts';
import * as transpose from './transpose.ts';

const ops: Readonly<Record<string, OpSamples>> = {
  elementwise,
  matmul,
  fake_quantize: fakeQuantize,
  reduce,
  gather,
  scatter,
  softmax_cross_entropy: softmaxCrossEntropy,
  softmax_cross_entropy_backward: softmaxCrossEntropyBackward,
  pack,
  recurrent,
  recurrent_backward: recurrentBackward,
  linear_scan: linearScan,
  linear_scan_backward: linearScanBackward,
  dropout,
  sequence_mask: sequenceMask,
  copy,
  reshape,
  transpose,
  split,
  composite,
  checkpoint,
  after,
  enter,
  broadcast,
  concat,
  constant,
  empty,
  gap,
};

function listsOf(key: keyof OpSamples): Readonly<Record<string, readonly Sample[]>> {
  return Object.fromEntries(
    Object.entries(ops).flatMap(([name, { [key]: list }]) => (list ? [[name, list]] : [])),
  );
}

/** Samples by the name of the op. */
export const samples: ReturnType<typeof listsOf> = listsOf('samples');
export const deviceSamples: ReturnType<typeof listsOf> = listsOf('deviceSamples');
export const persistentSamples: ReturnType<typeof listsOf> = listsOf('persistentSamples');
