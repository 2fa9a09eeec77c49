// Packing of weight blocks into quads.
import { halfBits } from '../../../core/half.ts';
import { packOp, type PackBlocks } from '../../../ops/pack.ts';
import { int8Of, quadsOf, type WeightPrecision } from '../../../ops/weight_precision.ts';
import { defineKernel, elementsOf, type Operand } from './kernel.ts';

const indexOf = (
  { first, strides }: PackBlocks['source'],
  block: number,
  row: number,
  unit: number,
): number => first + block * strides[0] + row * strides[1] + unit * strides[2];

export const pack = defineKernel(packOp, {
  run: ({ precision, blocks, matrices }, inputs, [output]) => {
    const largest = inputs[matrices] as Operand | undefined;
    for (const { input, count, depth, units, source, target, scale } of blocks) {
      const from = elementsOf(inputs[input]);
      for (let block = 0; block < count; block++) {
        for (let quad = 0; quad < quadsOf(depth); quad++) {
          for (let unit = 0; unit < units; unit++) {
            const at = (row: number): number => indexOf(source, block, row, unit);
            const four = [0, 1, 2, 3].map((i) => (4 * quad + i < depth ? from[at(4 * quad + i)] : 0));
            const to = indexOf(target, block, quad, unit);
            const column = scale + block * units + unit;
            storeQuad(precision, output, to, four, largest?.data[largest.view.offset + column]);
          }
        }
      }
    }
  },
});

/** Writes one quad. @param quad Its index in the packed matrix. @param largest For int8, the largest magnitude of its row. */
export function storeQuad(
  precision: WeightPrecision,
  { data, view }: Operand,
  quad: number,
  four: readonly number[],
  largest: number = 0,
): void {
  const words = wordsOf(precision, four, largest);
  words.forEach((word, i) => (data[view.offset + quad * words.length + i] = word));
}

/** Packs four numbers into the words of a quad. */
function wordsOf(precision: WeightPrecision, four: readonly number[], largest: number): readonly number[] {
  const join = (bits: readonly number[], width: number): number =>
    bits.reduce((word, field, i) => word | (field << (width * i)), 0);
  if (precision === 'float32') return four;
  const bits = four.map((x) => (precision === 'f16' ? halfBits(x) : int8Of(x, largest) & 0xff));
  return precision === 'f16' ? [join(bits.slice(0, 2), 16), join(bits.slice(2), 16)] : [join(bits, 8)];
}
