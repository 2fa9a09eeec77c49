// The list of every op, for code that enumerates them: conformance tests, gradient checks, tables.
// To add an op: declare it in a file in this folder and add its name to this list.
import type { Op } from '../graph/value.ts';
import { afterOp, checkpointOp, enterOp } from './checkpoint.ts';
import { compositeOp } from './composite.ts';
import { copyOp } from './copy.ts';
import { dropoutOp } from './dropout.ts';
import { elementwiseOp } from './elementwise.ts';
import { gatherOp, scatterOp } from './gather.ts';
import { linearScanBackwardOp, linearScanOp } from './linear_scan.ts';
import { matmulOp } from './matmul.ts';
import { fakeQuantizeOp } from './fake_quantize.ts';
import { recurrentBackwardOp, recurrentOp } from './recurrent.ts';
import { packOp } from './pack.ts';
import { sequenceMaskOp } from './sequence_mask.ts';
import { softmaxCrossEntropyBackwardOp, softmaxCrossEntropyOp } from './softmax_cross_entropy.ts';
import {
  broadcastOp,
  concatOp,
  constantOp,
  emptyOp,
  gapOp,
  reduceOp,
  reshapeOp,
  splitOp,
  transposeOp,
} from './structure.ts';

/** An op with any type of attributes. */
const any = <Attrs>(op: Op<Attrs>): Op => op as Op;

export const allOps: readonly Op[] = [
  any(elementwiseOp),
  any(matmulOp),
  any(fakeQuantizeOp),
  any(packOp),
  any(reduceOp),
  any(gatherOp),
  any(scatterOp),
  any(softmaxCrossEntropyOp),
  any(softmaxCrossEntropyBackwardOp),
  any(recurrentOp),
  any(recurrentBackwardOp),
  any(linearScanOp),
  any(linearScanBackwardOp),
  any(dropoutOp),
  any(sequenceMaskOp),
  any(copyOp),
  any(compositeOp),
  any(checkpointOp),
  any(afterOp),
  any(enterOp),
  any(reshapeOp),
  any(transposeOp),
  any(splitOp),
  any(broadcastOp),
  any(concatOp),
  any(constantOp),
  any(emptyOp),
  any(gapOp),
];
