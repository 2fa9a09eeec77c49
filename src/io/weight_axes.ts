// The tensors of weight layouts as axes in letters and as blocks with places.
import { GatewiseError } from '../core/errors.ts';
import type { TensorLayout, WeightBlock, WeightPart } from './weight_layouts.ts';

/** I inputs, H units, R the size of h, which is H without a projection. */
export type Letter = 'I' | 'H' | 'R';
export type Sizes = Readonly<Record<Letter, number>>;
/** How many of each letter an axis is long: I and H once each for TensorFlow's [x; h]. '1' is one row. */
export type Axis = ReadonlyMap<Letter | '1', number>;

/** Rows and columns of a block that is not transposed. */
const extents: Readonly<Record<WeightPart, readonly [Letter | '1', Letter]>> = {
  weight_ih: ['H', 'I'],
  weight_hh: ['H', 'R'],
  bias_ih: ['1', 'H'],
  bias_hh: ['1', 'H'],
  bias: ['1', 'H'],
  weight_hr: ['R', 'H'],
  weight_c: ['1', 'H'],
};

/** The axes of a tensor, without that of directions. @param projects whether R is a letter of its own. */
export function axesOf({ rank, transposed, blocks }: TensorLayout, projects: boolean): Axis[] {
  const along = (line: readonly WeightBlock[], axis: 0 | 1): Axis => {
    const counts = new Map<Letter | '1', number>();
    for (const { part } of line) {
      const letter = extents[part][transposed ? 1 - axis : axis];
      const same = letter === 'R' && !projects ? 'H' : letter;
      counts.set(same, (counts.get(same) ?? 0) + 1);
    }
    return counts;
  };
  const first = blocks.map((row) => row[0]);
  return rank === 1 ? [along(blocks[0], 1)] : [along(first, 0), along(blocks[0], 1)];
}

export const inLetters = (axis: Axis): string =>
  [...axis].map(([letter, n]) => (letter === '1' ? `${n}` : n === 1 ? letter : `${n}·${letter}`)).join(' + ');

const sizeOfLetter = (sizes: Sizes, letter: Letter | '1'): number => (letter === '1' ? 1 : sizes[letter]);

export const lengthOf = (axis: Axis, sizes: Sizes): number =>
  [...axis].reduce((sum, [letter, n]) => sum + n * sizeOfLetter(sizes, letter), 0);

/** Where a block of (height, width) lies in the numbers of one direction. */
export interface Place {
  readonly block: WeightBlock;
  readonly height: number;
  readonly width: number;
  readonly at: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

export function placesOf({ transposed, blocks }: TensorLayout, sizes: Sizes): Place[] {
  const sides = ({ part }: WeightBlock): number[] =>
    extents[part].map((letter) => sizeOfLetter(sizes, letter));
  const across = transposed ? 0 : 1;
  const width = blocks[0].reduce((sum, block) => sum + sides(block)[across], 0);
  let top = 0;
  return blocks.flatMap((row) => {
    let at = top * width;
    top += sides(row[0])[1 - across];
    return row.map((block): Place => {
      const [height, columns] = sides(block);
      const place = { block, height, width: columns, at };
      at += sides(block)[across];
      return { ...place, rowStride: transposed ? 1 : width, columnStride: transposed ? width : 1 };
    });
  });
}

/**
 * The letters' sizes: each from an axis on which all others are known.
 * @param axes with their lengths, and what to do where a length cannot be.
 */
export function solveSizes(axes: readonly { axis: Axis; length: number; wrong: () => never }[]): Sizes {
  const sizes: Partial<Record<Letter, number>> = {};
  for (let before = -1; before < Object.keys(sizes).length;) {
    before = Object.keys(sizes).length;
    for (const { axis, length, wrong } of axes) {
      const [letter, ...others] = [...axis.keys()].filter((l) => l !== '1' && sizes[l] === undefined);
      if (letter === undefined || letter === '1' || others.length > 0) continue;
      const n = axis.get(letter) ?? 1;
      const rest = length - lengthOf(axis, { I: 0, H: 0, R: 0, ...sizes });
      if (rest < n || rest % n !== 0) wrong();
      sizes[letter] = rest / n;
    }
  }
  const { I, H, R = H } = sizes;
  if (I === undefined || H === undefined || R === undefined)
    throw new GatewiseError(
      'argument',
      'convertWeights: the tensors of the layout do not tell the sizes of the layer',
    );
  return { I, H, R };
}
