// Integer copies. The plan inserts them where a kernel cannot read a view; float copies are elementwise expressions.
import { GatewiseError } from '../core/errors.ts';
import { defineOp, type Op } from '../graph/value.ts';

export const copyOp: Op<Record<never, never>> = /* @__PURE__ */ defineOp({
  name: 'copy',
  summary: 'copies integers (i32) between layouts; the planner inserts it where a kernel cannot read a view',
  infer: (_, [x]) => {
    if (x.dtype !== 'i32') throw new GatewiseError('dtype', `copy: expected i32, got ${x.dtype}`);
    return [x];
  },
  // Integers have no gradient.
  grad: () => [undefined],
});
