// Converts the weights of a recurrent layer between frameworks: splits tensors into blocks of one gate, and assembles them again.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape, sizeOf } from '../core/shape.ts';
import { isFloat, dtypeText, type NamedTensor } from './file_dtypes.ts';
import {
  gatesOf,
  type TensorLayout,
  type WeightBlock,
  type WeightLayout,
  type WeightPart,
} from './weight_layouts.ts';

type Tensors = ReadonlyMap<string, NamedTensor>;

/**
 * Converts the weights of one layer, in one direction or both, to another framework's layout. It copies the numbers.
 *
 *     const parameters = convertWeights(tensors, layouts.keras.lstm, layouts.pytorch.lstm);
 *
 * A layer without biases, peepholes or a projection has none of their tensors. If `from` has one bias, it becomes
 * `bias_ih`, and `bias_hh` is 0; if `to` has one, it gets the sum. `bias_hh` includes a forget bias that `from` adds at run
 * time, and excludes one that `to` adds, so that the layer computes the same. Rows of gates that the kind does not have
 * are ignored in `from` and 0 in `to`.
 *
 * @param tensors All tensors of the layer by the names of `from`, and no others but those of PyTorch's other layers.
 * @param layer The number in PyTorch's names, as in `weight_ih_l0`.
 * @throws GatewiseError `file` if a tensor is missing, is unknown or has another shape or dtype; `argument` if the
 *   layouts are of different kinds; `unsupported` if `to` has no place for what the layer has, or if its peepholes read
 *   another state.
 */
export function convertWeights(
  tensors: Tensors,
  from: WeightLayout,
  to: WeightLayout,
  layer = 0,
): Map<string, NamedTensor> {
  checkArguments(tensors, from, to, layer);
  if (from.kind !== to.kind)
    throw new GatewiseError(
      'argument',
      `convertWeights: expected two layouts of one kind, got ${from.name} and ${to.name}`,
    );
  const { sizes, directions } = read(tensors, from, layer);
  checkPeepholes(directions, from, to);
  return write(
    directions.map((blocks) => withBothBiases(from, blocks, sizes)),
    sizes,
    to,
    layer,
  );
}

function checkArguments(tensors: Tensors, from: WeightLayout, to: WeightLayout, layer: number): void {
  const fail = (problem: string): never => {
    throw new GatewiseError('argument', `convertWeights: ${problem}`);
  };
  if (!(tensors instanceof Map)) fail(`expected a Map of tensors by name, got ${show(tensors)}`);
  for (const [which, layout] of Object.entries({ from, to })) {
    if (typeof layout?.kind !== 'string' || typeof layout.tensors !== 'object')
      fail(`${which}: expected a layout, such as layouts.pytorch.lstm, got ${show(layout)}`);
  }
  if (!Number.isSafeInteger(layer) || layer < 0)
    fail(`layer must be a whole number of at least 0, got ${show(layer)}`);
}

/** Throws if the peephole of gate o reads the cell state before the step in one layout and after it in the other. */
function checkPeepholes(directions: readonly Blocks[], from: WeightLayout, to: WeightLayout): void {
  const [before, after] = [from, to].map(({ outputPeephole = 'after' }) => outputPeephole);
  if (before === after || !directions[0].has(keyOf({ part: 'weight_c', gate: 'o' }))) return;
  throw new GatewiseError(
    'unsupported',
    `convertWeights: the peephole of gate o reads the cell state ${before} the step in ${from.name} and ${after} it in ${to.name}; convert to a layout that has it ${before} the step, such as layouts.pytorch.${before === 'before' ? 'lstm_peephole_before, for a cell of your own that reads c there' : 'lstm'}`,
  );
}

function refuse(layout: WeightLayout, problem: string): never {
  throw new GatewiseError('file', `${layout.name} weights: ${problem}`);
}

// Blocks --------------------------------------------------------------------------------------------------------------

/** A layer has all tensors of a group or none. */
type Group = 'weights' | 'biases' | 'peepholes' | 'projections';
/** The extents of a block: I inputs, H units, R the size of h, which is H without a projection; '1' is one row. */
type Letter = 'I' | 'H' | 'R' | '1';
type Sizes = Readonly<Record<Letter, number>>;
/** The letters whose sizes add up to the length of an axis, such as I and H for TensorFlow's [x; h]. */
type Axis = readonly Letter[];

/** The group of each part, and the rows and columns of its blocks before transposition. */
const parts: Readonly<Record<WeightPart, { group: Group; extents: readonly [Letter, Letter] }>> = {
  weight_ih: { group: 'weights', extents: ['H', 'I'] },
  weight_hh: { group: 'weights', extents: ['H', 'R'] },
  bias_ih: { group: 'biases', extents: ['1', 'H'] },
  bias_hh: { group: 'biases', extents: ['1', 'H'] },
  bias: { group: 'biases', extents: ['1', 'H'] },
  weight_hr: { group: 'projections', extents: ['R', 'H'] },
  weight_c: { group: 'peepholes', extents: ['1', 'H'] },
};
const groupOf = (layout: TensorLayout): Group => parts[layout.blocks[0][0].part].group;

/** The numbers of one direction, by part and gate, row by row. */
type Blocks = ReadonlyMap<string, Float32Array>;
const keyOf = ({ part, gate }: WeightBlock): string => `${part} ${gate}`;
/** The rows and columns of a tensor; a vector has one row. @param projects Whether R may differ from H. */
function gridOf({ transposed, blocks }: TensorLayout, projects = true): [rows: Axis, columns: Axis] {
  const along = (line: readonly WeightBlock[], axis: number): Axis =>
    line.map(({ part }) => {
      const letter = parts[part].extents[transposed ? 1 - axis : axis];
      return letter === 'R' && !projects ? 'H' : letter;
    });
  const first = blocks.map((line) => line[0]);
  return [along(first, 0), along(blocks[0], 1)];
}

/** The axes of a tensor, without that of directions. */
const axesOf = (layout: TensorLayout, projects = true): Axis[] =>
  gridOf(layout, projects).slice(2 - layout.rank);

const lengthOf = (axis: Axis, sizes: Sizes): number => axis.reduce((sum, letter) => sum + sizes[letter], 0);

/** An axis as text, such as `I + H` or `4·H`. */
const inLetters = (axis: Axis): string =>
  [...new Set(axis)]
    .map((letter) => {
      const n = axis.filter((other) => other === letter).length;
      return letter === '1' ? `${n}` : n === 1 ? letter : `${n}·${letter}`;
    })
    .join(' + ');

/** The tensors that a layer of this layout may have. */
const namesOf = ({ directions, tensors }: WeightLayout, layer: number, count: number) =>
  Array.from({ length: 'axis' in directions ? 1 : count }, (_, direction) =>
    Object.entries(tensors).map(([tensor, layout]) => ({
      name: 'axis' in directions ? tensor : directions.name(tensor, layer, direction, count),
      direction,
      layout,
    })),
  ).flat();

type Named = ReturnType<typeof namesOf>[number];
type Found = Named & { readonly tensor: NamedTensor };

/**
 * The blocks of a tensor, except those of gates that the kind does not have, such as f of ONNX's coupled LSTM.
 * @returns For each block its number of elements, and the index in the tensor of the block's element i.
 */
function placesOf(
  { kind, directions }: WeightLayout,
  { direction, layout }: Named,
  sizes: Sizes,
  count: number,
) {
  const [rows, columns] = gridOf(layout);
  const width = lengthOf(columns, sizes);
  const [rowStride, columnStride] = layout.transposed ? [1, width] : [width, 1];
  const all = 'axis' in directions ? Array.from({ length: count }, (_, d) => d) : [direction];
  return all.flatMap((d, i) =>
    layout.blocks.flatMap((line, r) =>
      line.flatMap((block, c) => {
        if (block.part !== 'weight_hr' && !gatesOf[kind].includes(block.gate)) return [];
        const above = i * lengthOf(rows, sizes) + lengthOf(rows.slice(0, r), sizes);
        const start = above * width + lengthOf(columns.slice(0, c), sizes);
        const [m, n] = parts[block.part].extents.map((letter) => sizes[letter]);
        const at = (e: number): number => start + Math.floor(e / n) * rowStride + (e % n) * columnStride;
        return [{ direction: d, block, size: m * n, at }];
      }),
    ),
  );
}

// Reading ------------------------------------------------------------------------------------------------------------

/** The tensors of the layer. Refuses unknown ones, and a group of which some are missing. */
function find(tensors: Tensors, from: WeightLayout, layer: number): Found[] {
  const both = namesOf(from, layer, 2);
  const two = both.some(({ name, direction }) => direction === 1 && tensors.has(name));
  const known = two ? both : namesOf(from, layer, 1);
  const names = known.map(({ name }) => name);
  const isOfOtherLayer = (name: string): boolean => {
    const number = /_l(\d+)(?:_reverse)?$/.exec(name)?.[1];
    return 'layered' in from.directions && number !== undefined && Number(number) !== layer;
  };
  for (const name of tensors.keys()) {
    if (!names.includes(name) && !isOfOtherLayer(name))
      refuse(from, `unknown tensor ${show(name)}; expected ${names.join(', ')}`);
  }
  const present = new Set(known.filter(({ name }) => tensors.has(name)).map(({ layout }) => groupOf(layout)));
  present.add('weights');
  if (from.forgetBias !== undefined) present.add('biases');
  return known.flatMap((one): Found[] => {
    const tensor = tensors.get(one.name);
    if (tensor !== undefined) return [{ ...one, tensor }];
    if (one.layout.optional === true || !present.has(groupOf(one.layout))) return [];
    return refuse(from, `no tensor ${show(one.name)}; got ${[...tensors.keys()].join(', ') || 'none'}`);
  });
}

function read(tensors: Tensors, from: WeightLayout, layer: number): { sizes: Sizes; directions: Blocks[] } {
  const found = find(tensors, from, layer);
  const front = 'axis' in from.directions ? 1 : 0;
  const projects = found.some(({ layout }) => groupOf(layout) === 'projections');
  const wrong = ({ name, layout, tensor }: Found, more = ''): never => {
    const letters = [...(front === 1 ? ['directions'] : []), ...axesOf(layout, projects).map(inLetters)];
    return refuse(
      from,
      `tensor ${show(name)}: expected f32 [${letters.join(', ')}]${more}, got ${dtypeText(tensor)} ${show(tensor.shape)}`,
    );
  };
  for (const one of found) {
    if (!Array.isArray(one.tensor?.shape) || !ArrayBuffer.isView(one.tensor.data))
      refuse(from, `tensor ${show(one.name)}: expected { shape, dtype, data }, got ${show(one.tensor)}`);
    const { shape, data } = one.tensor;
    if (!isFloat(one.tensor) || shape.length !== front + one.layout.rank) wrong(one);
    if (data.length !== sizeOf(shape)) wrong(one, `, ${sizeOf(shape)} numbers and not ${data.length}`);
  }
  const count = front === 1 ? found[0].tensor.shape[0] : Math.max(...found.map((one) => one.direction)) + 1;
  if (count !== 1 && count !== 2) wrong(found[0], ' with 1 or 2 directions');

  const sizes = solveSizes(
    found.flatMap((one) =>
      axesOf(one.layout, projects).map((axis, i) => ({
        axis,
        length: one.tensor.shape[i + front],
        wrong: () => wrong(one),
      })),
    ),
  );
  for (const one of found) {
    const shape = axesOf(one.layout, projects).map((axis) => lengthOf(axis, sizes));
    if (front === 1) shape.unshift(count);
    if (!sameShape(shape, one.tensor.shape)) wrong(one, ` = ${show(shape)}`);
  }

  const directions = Array.from({ length: count }, () => new Map<string, Float32Array>());
  for (const one of found) {
    for (const { direction, block, size, at } of placesOf(from, one, sizes, count))
      directions[direction].set(
        keyOf(block),
        Float32Array.from({ length: size }, (_, i) => one.tensor.data[at(i)]),
      );
  }
  return { sizes, directions };
}

/** The size of each letter, solved from axes on which only that letter is unknown. @param axes `wrong` reports a misfit. */
function solveSizes(axes: readonly { axis: Axis; length: number; wrong: () => never }[]): Sizes {
  const sizes: Partial<Record<Letter, number>> = { '1': 1 };
  for (let before = 0; before < Object.keys(sizes).length;) {
    before = Object.keys(sizes).length;
    for (const { axis, length, wrong } of axes) {
      const [letter, ...more] = axis.filter((other) => sizes[other] === undefined);
      if (letter === undefined || more.some((other) => other !== letter)) continue;
      const size = (length - lengthOf(axis, { '1': 1, I: 0, H: 0, R: 0, ...sizes })) / (1 + more.length);
      if (!Number.isInteger(size) || size < 1) wrong();
      sizes[letter] = size;
    }
  }
  const { I, H, R = H } = sizes;
  if (I === undefined || H === undefined || R === undefined)
    throw new GatewiseError(
      'argument',
      'convertWeights: the tensors of the layout do not tell the sizes of the layer',
    );
  return { '1': 1, I, H, R };
}

/** The blocks with both biases of every gate, the forget bias of `from` added to bias_hh; unchanged if there are no biases. */
function withBothBiases(from: WeightLayout, blocks: Blocks, { H }: Sizes): Blocks {
  if (![...blocks.keys()].some((key) => key.startsWith('bias'))) return blocks;
  const result = new Map(blocks);
  for (const gate of gatesOf[from.kind]) {
    const [both, ih, hh] = (['bias', 'bias_ih', 'bias_hh'] as const).map((part) => keyOf({ part, gate }));
    const none = new Float32Array(H);
    const added = gate === 'f' ? (from.forgetBias ?? 0) : 0;
    const recurrent = (blocks.get(hh) ?? none).map((value) => value + added);
    result.delete(both);
    result.set(ih, blocks.get(ih) ?? blocks.get(both) ?? none);
    result.set(hh, recurrent);
  }
  return result;
}

// Writing ------------------------------------------------------------------------------------------------------------

function write(
  directions: readonly Blocks[],
  sizes: Sizes,
  to: WeightLayout,
  layer: number,
): Map<string, NamedTensor> {
  const present = new Set(
    [...directions[0].keys()].map((key) => parts[key.split(' ')[0] as WeightPart].group),
  );
  for (const group of present) {
    if (!Object.values(to.tensors).some((layout) => groupOf(layout) === group))
      throw new GatewiseError(
        'unsupported',
        `${to.name} weights: the layer has ${group}, for which there is no place`,
      );
  }
  if (to.forgetBias !== undefined) present.add('biases');
  const count = directions.length;
  const written = namesOf(to, layer, count).filter(({ layout }) => present.has(groupOf(layout)));
  return new Map(
    written.map((one) => {
      const shape = axesOf(one.layout).map((axis) => lengthOf(axis, sizes));
      if ('axis' in to.directions) shape.unshift(count);
      const data = new Float32Array(sizeOf(shape));
      for (const { direction, block, at } of placesOf(to, one, sizes, count))
        numbersOf(to, directions[direction], block, sizes).forEach((value, i) => (data[at(i)] = value));
      return [one.name, { shape, dtype: 'f32', data }];
    }),
  );
}

/** The numbers of a block of `to`. */
function numbersOf(to: WeightLayout, blocks: Blocks, block: WeightBlock, { H }: Sizes): Float32Array {
  const { part, gate } = block;
  const get = (of: WeightPart): Float32Array | undefined => blocks.get(keyOf({ part: of, gate }));
  if (parts[part].group !== 'biases') {
    const numbers = get(part);
    if (numbers !== undefined) return numbers;
    throw new GatewiseError('argument', `${to.name} weights: the layer has no ${part} of the gate ${gate}`);
  }
  const [ih, hh] = [get('bias_ih') ?? new Float32Array(H), get('bias_hh') ?? new Float32Array(H)];
  const taken = gate === 'f' ? (to.forgetBias ?? 0) : 0;
  if (part === 'bias_ih') return ih;
  if (part === 'bias_hh') return hh.map((value) => value - taken);
  if (to.kind === 'gru' && gate === 'n' && hh.some((value) => value !== 0)) {
    throw new GatewiseError(
      'unsupported',
      `${to.name} weights: there is one bias, but a GRU that resets after the product needs two for the gate n, as its bias_hh is not 0 there`,
    );
  }
  return hh.map((value, i) => value - taken + ih[i]);
}
