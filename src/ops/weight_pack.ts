// Weight matrices in words that kernels read: what all packing ops launch, and the op for a matrix that inputs are multiplied by.
import type { DType } from '../core/shape.ts';
import { abs } from '../expr/arith.ts';
import { bindDense, dispatch, type Dispatch, type Region } from '../graph/launch.ts';
import { defineOp, type Op, type Value } from '../graph/value.ts';
import { pack_weight } from '../../shaders/gen/pack_weight.ts';
import { apply } from './apply.ts';
import { max } from './structure.ts';
import {
  QUAD_WORDS,
  quadsOf,
  storeQuad,
  type PackedPrecision,
  type WeightPrecision,
} from './weight_precision.ts';
import { gridFor } from './wgsl_expression.ts';

/** Words are whole numbers, which no device takes for subnormal floats. */
export const packedDType = (precision: WeightPrecision): DType => (precision === 'float32' ? 'f32' : 'i32');

/** Of each row of a matrix (N, K), the largest magnitude (N): what 127 stands for. */
export const largestOfRows = (matrix: Value): Value => max(abs(matrix), 1);

/** What the kernel calls its result, and how it writes a quad there. */
const STORES = {
  float32: { result: 'packed', value: 'four' },
  f16: { result: 'halves', value: 'halves_of(four)' },
  int8: { result: 'bytes', value: 'bytes_of(four, largest[unit])' },
} as const;

/** @param to by the names of shaders/pack_weight.wgsl. */
export function packDispatch(
  precision: WeightPrecision,
  { weight, packed, largest }: { weight: Region; packed: Region; largest: Region | undefined },
  to: NonNullable<(typeof pack_weight)['uniformType']>,
): Dispatch {
  const { result, value } = STORES[precision];
  return dispatch(pack_weight, {
    bindings: {
      weight: bindDense(weight),
      [result]: bindDense(packed),
      ...(precision === 'int8' && largest !== undefined ? { largest: bindDense(largest) } : {}),
    },
    splices: { store: `fn store(quad: u32, four: vec4f, unit: u32) {\n  ${result}[quad] = ${value};\n}` },
    uniforms: to,
    workgroups: gridFor(to.blocks * quadsOf(to.depth) * to.units, 64),
  });
}

export const packRowsOp: Op<{ readonly precision: PackedPrecision }> = /* @__PURE__ */ defineOp({
  name: 'pack_rows',
  summary:
    'weights (N, K), with int8 the largest magnitude of each row (N), rounded: each row as words of quads, the last filled up with zeros',
  infer: ({ precision }, [{ shape }]) => [
    { shape: [shape[0], QUAD_WORDS[precision] * quadsOf(shape[1])], dtype: packedDType(precision) },
  ],
  cpu: ({ precision }, [{ data, view }, largest], [out]) => {
    const [rows, columns] = view.shape;
    for (let row = 0; row < rows; row++) {
      const most = largest?.data[largest.view.offset + row];
      for (let quad = 0; quad < quadsOf(columns); quad++) {
        const four = [0, 1, 2, 3].map((i) => {
          const column = 4 * quad + i;
          return column < columns ? data[view.offset + row * columns + column] : 0;
        });
        storeQuad(precision, out, row * quadsOf(columns) + quad, four, most);
      }
    }
  },
  gpu: ({ attrs: { precision }, inputs: [weight, largest], outputs: [packed] }) => {
    const [rows, columns] = weight.view.shape;
    return [
      packDispatch(
        precision,
        { weight, packed, largest },
        {
          first: 0,
          start: 0,
          blocks: 1,
          depth: columns,
          units: rows,
          unit: 0,
          strides: [0, 1, columns],
          packed: [0, 1, quadsOf(columns)],
        },
      ),
    ];
  },
  // None flows through whole numbers: the product gives the weights theirs.
  grad: ({ inputs }) => inputs.map(() => undefined),
  tolerance: { absolute: 0, relative: 0 },
});

/** @param largest with int8, the largest magnitude of each row. */
export function packRows(precision: PackedPrecision, weight: Value, largest: readonly Value[]): Value {
  return apply(packRowsOp, { precision }, [weight, ...largest]);
}
