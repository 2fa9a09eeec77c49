// Strided copies of i32 tensors.
import { walk } from '../../../core/view.ts';
import { copyOp } from '../../../ops/copy.ts';
import { defineKernel } from './kernel.ts';

export const copy = defineKernel(copyOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  run: (_, [source], [out]) =>
    walk([source.view, out.view], ([from, to]) => {
      out.data[to] = source.data[from];
    }),
});
