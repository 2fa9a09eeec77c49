// Gather and scatter of rows. For an index outside the table, gather reads the nearest row and scatter drops the source row.
import { gatherOp, scatterOp } from '../../../ops/gather.ts';
import { defineKernel, elementsOf } from './kernel.ts';

export const gather = defineKernel(gatherOp, {
  run: (_, [table, index], [out]) => {
    const [rows, width] = table.view.shape;
    const [from, indices, to] = [table, index, out].map(elementsOf);
    for (let i = 0; i < index.view.shape[0]; i++) {
      const row = Math.min(Math.max(indices[i], 0), rows - 1);
      for (let e = 0; e < width; e++) to[i * width + e] = from[row * width + e];
    }
  },
});

export const scatter = defineKernel(scatterOp, {
  run: (_, [source, index], [out]) => {
    const [rows, width] = out.view.shape;
    const [from, indices, to] = [source, index, out].map(elementsOf);
    const total = new Float64Array(rows * width);
    for (let i = 0; i < index.view.shape[0]; i++) {
      const row = indices[i];
      if (row < 0 || row >= rows) continue;
      for (let e = 0; e < width; e++) total[row * width + e] += from[i * width + e];
    }
    to.set(total);
  },
});
