// Only a device can produce indices outside the table: gather clamps them to the nearest row, scatter skips the source row.
import { gatherOp, scatterOp } from '../../../ops/gather.ts';
import { defineKernel } from './kernel.ts';

export const gather = defineKernel(gatherOp, {
  run: (_, [table, index], [out]) => {
    const [rows, width] = table.view.shape;
    for (let i = 0; i < index.view.shape[0]; i++) {
      const row = Math.min(Math.max(index.data[index.view.offset + i], 0), rows - 1);
      for (let e = 0; e < width; e++)
        out.data[out.view.offset + i * width + e] = table.data[table.view.offset + row * width + e];
    }
  },
});

export const scatter = defineKernel(scatterOp, {
  run: (_, [source, index], [out]) => {
    const [rows, width] = out.view.shape;
    const total = new Float64Array(rows * width);
    for (let i = 0; i < index.view.shape[0]; i++) {
      const row = index.data[index.view.offset + i];
      if (row < 0 || row >= rows) continue;
      for (let e = 0; e < width; e++)
        total[row * width + e] += source.data[source.view.offset + i * width + e];
    }
    total.forEach((value, i) => (out.data[out.view.offset + i] = value));
  },
});
