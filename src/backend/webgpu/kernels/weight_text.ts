// How WebGPU's kernels bind, unpack and pack the weights of each precision.
import type { WeightPrecision } from '../../../ops/weight_precision.ts';

interface WeightText {
  /** The WGSL type of a quad. */
  readonly type: 'vec4f' | 'vec2u' | 'u32';
  /** The names of the kernels' bindings of packed weights: `pack`'s result, a recurrent loop's weights, matmul's b. */
  readonly bindings: { readonly pack: string; readonly recurrent: string; readonly matmul: string };
  /** The vec4f of a quad. */
  readonly unpacked: (quad: string) => string;
  /** The quad of a vec4f. @param largest With int8, the largest magnitude of its row. */
  readonly packed: (four: string, largest: string) => string;
}

export const WEIGHT_TEXT = {
  float32: {
    type: 'vec4f',
    bindings: { pack: 'packed', recurrent: 'weight', matmul: 'b4' },
    unpacked: (quad) => quad,
    packed: (four) => four,
  },
  f16: {
    type: 'vec2u',
    bindings: { pack: 'halves', recurrent: 'halves', matmul: 'b_halves' },
    unpacked: (quad) => `from_halves(${quad})`,
    packed: (four) => `halves_of(${four})`,
  },
  int8: {
    type: 'u32',
    bindings: { pack: 'bytes', recurrent: 'bytes', matmul: 'b_bytes' },
    unpacked: (quad) => `from_bytes(${quad})`,
    packed: (four, largest) => `bytes_of(${four}, ${largest})`,
  },
} as const satisfies Record<WeightPrecision, WeightText>;
