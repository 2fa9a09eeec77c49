// How weight matrices are kept for the kernels: as float32, or packed into words of 32 bits that the kernels unpack as they
// read. A row is cut into quads of four neighbours, the last one filled up with zeros. Sums are float32 whatever they are of.
import { halfBits, halfToNumber } from '../core/half.ts';
import { denseView } from '../core/view.ts';
import { GatewiseError, show } from '../core/errors.ts';
import type { Operand } from '../graph/launch.ts';

/**
 * `float32`: as they are. `f16`: each rounded to half precision, two in a word. `int8`: each a whole number from -127 to 127
 * times a 127th of the largest magnitude of its row, four in a word.
 */
export type WeightPrecision = 'float32' | 'f16' | 'int8';
/** Those that are not as a tensor has them. */
export type PackedPrecision = Exclude<WeightPrecision, 'float32'>;

/** Words of a quad. */
export const QUAD_WORDS: Readonly<Record<WeightPrecision, number>> = { float32: 4, f16: 2, int8: 1 };

export const quadsOf = (depth: number): number => Math.ceil(depth / 4);

/** @throws GatewiseError `argument` where it is none. */
export function checkWeightPrecision(what: string, precision: unknown): asserts precision is WeightPrecision {
  if (typeof precision === 'string' && Object.hasOwn(QUAD_WORDS, precision)) return;
  throw new GatewiseError(
    'argument',
    `${what}: precision must be "float32", "f16" or "int8", got ${show(precision)}`,
  );
}

/**
 * `x` as a whole number from -127 to 127, of which 127 stands for `largest`: rounded to the nearest, ties away from zero, all
 * in float32 and bit by bit as in shaders/lib/int8.wgsl. 0 where `largest` is below 1e-30.
 */
export function int8Of(x: number, largest: number): number {
  const most = Math.fround(largest);
  if (!(most >= 1e-30)) return 0;
  const scaled = Math.fround(Math.abs(Math.fround(x)) * 127);
  const near = Math.min(127, Math.max(0, Math.floor(scaled / most + 0.5)));
  const up = near < 127 && Math.fround((near + 0.5) * most) <= scaled;
  const down = near > 0 && Math.fround((near - 0.5) * most) > scaled;
  const q = near + (up ? 1 : down ? -1 : 0);
  return x < 0 ? -q : q;
}

/** The words of a quad as whole numbers. @param largest of the row, for int8. */
function wordsOf(precision: PackedPrecision, quad: readonly number[], largest: number): number[] {
  const pack = (bits: readonly number[], width: number): number =>
    bits.reduce((word, own, i) => word | (own << (width * i)), 0);
  if (precision === 'int8')
    return [
      pack(
        quad.map((x) => int8Of(x, largest) & 0xff),
        8,
      ),
    ];
  const bits = quad.map(halfBits);
  return [pack(bits.slice(0, 2), 16), pack(bits.slice(2), 16)];
}

/** Writes a quad of a packed matrix. @param largest of the row, for int8. */
export function storeQuad(
  precision: WeightPrecision,
  { data, view }: Operand,
  quad: number,
  four: readonly number[],
  largest: number = 0,
): void {
  const words = precision === 'float32' ? four : wordsOf(precision, four, largest);
  words.forEach((word, i) => (data[view.offset + quad * words.length + i] = word));
}

/** A matrix as the kernels see it, for the reference: the numbers that are kept for its elements. */
export function roundedMatrix(precision: WeightPrecision, matrix: Operand): Operand {
  if (precision === 'float32') return matrix;
  const { data, view } = matrix;
  const [rows, columns] = view.shape;
  const rounded = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const at = (column: number): number =>
      data[view.offset + row * view.strides[0] + column * view.strides[1]];
    let largest = 0;
    if (precision === 'int8')
      for (let column = 0; column < columns; column++)
        largest = Math.max(largest, Math.fround(Math.abs(at(column))));
    for (let column = 0; column < columns; column++) {
      const x = at(column);
      rounded[row * columns + column] =
        precision === 'f16' ? halfToNumber(halfBits(x)) : (int8Of(x, largest) / 127) * largest;
    }
  }
  return { data: rounded, view: denseView([rows, columns]) };
}
