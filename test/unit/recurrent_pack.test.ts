// The packed weights of a recurrent layer: their order, and which steps share them.
import { expect, test } from 'vitest';

import { gru } from '../../src/cells/gru.ts';
import { allCells } from '../../src/cells/index.ts';
import { lstm, lstmProjected } from '../../src/cells/lstm.ts';
import { halfBits } from '../../src/core/half.ts';
import { sizeOf, type Shape } from '../../src/core/shape.ts';
import { denseView } from '../../src/core/view.ts';
import { Value, type Op } from '../../src/graph/value.ts';
import { RecurrentLayout, type LoopAttrs } from '../../src/ops/recurrent_schedule.ts';
import { referenceTarget } from '../../src/backend/cpu/kernels/index.ts';
import type { Operand } from '../../src/backend/cpu/kernels/kernel.ts';
import { packOp } from '../../src/ops/pack.ts';
import { packingOf } from '../../src/backend/webgpu/kernels/recurrent/packing.ts';
import type { WeightPrecision } from '../../src/ops/weight_precision.ts';
import { LSTM } from '../../src/index.ts';
import { packed } from '../recurrent_packing.ts';
import { planOf } from '../webgpu_plan.ts';

const training = { wavefront: false, inference: false } as const;

/** The packed words of matrices. int8 takes the largest magnitudes of their rows too. */
function wordsOf(
  attrs: LoopAttrs,
  inputs: readonly Operand[],
  backward: boolean,
  precision: WeightPrecision = 'float32',
): number[] {
  const values = inputs.map(({ view: { shape } }) => new Value({ shape, dtype: 'f32' }));
  const matrices = precision === 'int8' ? values.slice(0, -1) : values;
  const [{ node, shape, dtype }] = packed(attrs, matrices, backward, precision);
  const data = dtype === 'f32' ? new Float32Array(sizeOf(shape)).fill(NaN) : new Int32Array(sizeOf(shape));
  referenceTarget.kernel(packOp as Op).run(node?.attrs, inputs, [{ data, view: denseView(shape) }]);
  return Array.from(data);
}

/** Packs matrices whose elements count up, from 0 in the first and from 1000 in the second. */
function packedNumbers(attrs: LoopAttrs, shape: Shape, backward: boolean): number[] {
  const inputs = Array.from({ length: attrs.pseudoLayers }, (_, direction) => ({
    data: Float32Array.from({ length: sizeOf(shape) }, (_element, i) => 1000 * direction + i),
    view: denseView(shape),
  }));
  return wordsOf(attrs, inputs, backward);
}

test('forward: a quad of columns for each gate and unit, then the next quad; zeros past the end', () => {
  const [hidden, gates] = [5, 4];
  const attrs = { cell: lstm, hidden, projection: 0, bias: true, masked: false, ...training } as const;
  const expected: number[] = [];
  for (let direction = 0; direction < 2; direction++)
    for (let quad = 0; quad < 2; quad++)
      for (let gate = 0; gate < gates; gate++)
        for (let unit = 0; unit < hidden; unit++)
          for (let k = 4 * quad; k < 4 * quad + 4; k++)
            expected.push(k < hidden ? 1000 * direction + (gate * hidden + unit) * hidden + k : 0);
  expect(packedNumbers({ ...attrs, pseudoLayers: 2 }, [gates * hidden, hidden], false)).toEqual(expected);
});

test('backward: quads of the transposed matrices, one matrix after the other', () => {
  const [hidden, gates] = [4, 3];
  const attrs = { cell: gru, hidden, projection: 0, bias: true, masked: false, ...training } as const;
  const expected: number[] = [];
  for (let gate = 0; gate < gates; gate++)
    for (let unit = 0; unit < hidden; unit++)
      for (let k = 0; k < 4; k++) expected.push((gate * hidden + k) * hidden + unit);
  expect(packedNumbers({ ...attrs, pseudoLayers: 1 }, [gates * hidden, hidden], true)).toEqual(expected);
});

test('f16 and int8 have the same order, rounded, with a scale for each row with int8', () => {
  const attrs = {
    cell: lstmProjected,
    hidden: 3,
    projection: 2,
    bias: true,
    masked: false,
    ...training,
  } as const;
  const shapes = [1, 2].flatMap(() => [
    [4 * 3, 2],
    [2, 3],
  ]);
  const inputs = shapes.map((shape, i) => ({
    data: Float32Array.from({ length: sizeOf(shape) }, (_, n) => 0.1 * (n + 1) * (-1) ** n * 7.3 ** i),
    view: denseView(shape),
  }));
  const largest = inputs.flatMap(({ data, view }) =>
    Array.from({ length: view.shape[0] }, (_, row) =>
      Math.max(...data.slice(row * view.shape[1], (row + 1) * view.shape[1]).map(Math.abs)),
    ),
  );
  const scales = { data: Float32Array.from(largest), view: denseView([largest.length]) };
  const packedAs = (precision: WeightPrecision): number[] =>
    wordsOf(
      { ...attrs, pseudoLayers: 2 },
      precision === 'int8' ? [...inputs, scales] : inputs,
      false,
      precision,
    );
  const exact = packedAs('float32');
  const halves = packedAs('f16').flatMap((word) => [word & 0xffff, word >>> 16]);
  expect(halves).toEqual(exact.map(halfBits));
  const bytes = packedAs('int8').flatMap((word) => [0, 8, 16, 24].map((by) => (word << (24 - by)) >> 24));
  // The weight with the largest magnitude of its row is 127.
  const tops = exact.map((w) => largest.some((most) => most === Math.fround(Math.abs(w))));
  expect(bytes.map((byte) => Math.abs(byte) === 127)).toEqual(tops);
  expect(bytes.map(Math.sign)).toEqual(exact.map(Math.sign));
});

test('the segments of a layer share the packed weights', () => {
  const layer = new LSTM({ inputSize: 3, hiddenSize: 4, recompute: 2 });
  const args = [[6, 2, 3], ...layer.parameters.map(({ shape }) => shape)].map(
    (shape) => new Value({ shape, dtype: 'f32' }),
  );
  const [x, ...weights] = args;
  const named = Object.fromEntries(layer.parameters.map(({ name }, i) => [name, weights[i]]));
  const names = planOf(args, [layer.forward(x, named).output]).steps.map(({ op }) => op.name);
  const count = (name: string): number => names.filter((other) => other === name).length;
  expect([count('recurrent'), count(packOp.name)]).toEqual([3, 1]);
});

test.each(allCells.flatMap((cell) => [true, false].map((masked) => [cell.name, masked, cell] as const)))(
  '%s, masked: %s: with and without a backward pass the loop reads the same packed weights',
  (_, masked, cell) => {
    const attrs = { cell, hidden: 5, projection: 3, pseudoLayers: 1, bias: true, masked } as const;
    const order = [false, true].map((inference) => {
      const layout = new RecurrentLayout({ ...attrs, wavefront: false, inference });
      return packingOf(layout, false).phases.map(({ vectors }) =>
        vectors.map(({ start, depth, reads }) => [start, depth, reads.map(({ term }) => term.matrix)]),
      );
    });
    expect(order[1]).toEqual(order[0]);
  },
);
