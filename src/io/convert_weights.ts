// Weights of one recurrent layer from one framework's layout to another's: cut into blocks, laid together again.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape, sizeOf } from '../core/shape.ts';
import type { NamedTensor } from './safetensors.ts';
import { axesOf, inLetters, lengthOf, placesOf, solveSizes, type Sizes } from './weight_axes.ts';
import {
  gatesOf,
  type TensorLayout,
  type WeightBlock,
  type WeightLayout,
  type WeightPart,
} from './weight_layouts.ts';

type Tensors = ReadonlyMap<string, NamedTensor>;

/**
 * The weights of one layer, of one direction or two, in another framework's layout, as copies.
 *
 *     const parameters = convertWeights(tensors, layouts.keras.lstm, layouts.pytorch.lstm);
 *
 * A layer without biases, peepholes or a projection has none of their tensors. Where `from` keeps one bias, `bias_ih`
 * gets it and `bias_hh` 0; where `to` keeps one, it gets the sum. A forget bias that `from` adds when it runs goes into
 * `bias_hh`, and what `to` adds is taken off, so that the layer computes the same. Rows that the layer has no use for
 * are left out, and written as 0.
 *
 * @param tensors all tensors of the layer by the names of `from`, and no others but those of PyTorch's other layers.
 * @param layer the number in PyTorch's names, as in `weight_ih_l0`.
 * @throws GatewiseError `file` where a tensor is missing, is unknown or has another shape or dtype; `argument` where
 *   the layouts are of different kinds; `unsupported` where `to` has no place for what the layer has, or where its
 *   peepholes read another state.
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
    directions.map((blocks) => withBothBiases(from, blocks)),
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

/** The same numbers mean another cell where gate o looks at another state. */
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

// Reading ------------------------------------------------------------------------------------------------------------

/** Tensors that a layer has all of or none of. */
type Group = 'weights' | 'biases' | 'peepholes' | 'projections';
const groups: Readonly<Record<WeightPart, Group>> = {
  weight_ih: 'weights',
  weight_hh: 'weights',
  bias_ih: 'biases',
  bias_hh: 'biases',
  bias: 'biases',
  weight_hr: 'projections',
  weight_c: 'peepholes',
};
const groupOf = (layout: TensorLayout): Group => groups[layout.blocks[0][0].part];

/** The numbers of one direction, by part and gate, row by row. */
type Blocks = ReadonlyMap<string, Float32Array>;
const keyOf = ({ part, gate }: WeightBlock): string => `${part} ${gate}`;
/** Whether the kind has such a gate; ONNX keeps a forget gate where it is coupled and has no use for it. */
const isUsed = ({ kind }: WeightLayout, { part, gate }: WeightBlock): boolean =>
  part === 'weight_hr' || gatesOf[kind].includes(gate);

interface Named {
  readonly name: string;
  readonly direction: number;
  readonly layout: TensorLayout;
}
interface Found extends Named {
  readonly tensor: NamedTensor;
}

/** The tensors that a layer of this layout may have. */
const namesOf = ({ directions, tensors }: WeightLayout, layer: number, count: number): Named[] =>
  Array.from({ length: 'axis' in directions ? 1 : count }, (_, direction) =>
    Object.entries(tensors).map(([tensor, layout]) => ({
      name: 'axis' in directions ? tensor : directions.name(tensor, layer, direction, count),
      direction,
      layout,
    })),
  ).flat();

/** The tensors that are there: all that must be, and no others. */
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
      `tensor ${show(name)}: expected f32 [${letters.join(', ')}]${more}, got ${tensor.dtype} ${show(tensor.shape)}`,
    );
  };
  for (const one of found) {
    if (!Array.isArray(one.tensor?.shape) || !ArrayBuffer.isView(one.tensor.data))
      refuse(from, `tensor ${show(one.name)}: expected { shape, dtype, data }, got ${show(one.tensor)}`);
    const { shape, dtype, data } = one.tensor;
    if (dtype !== 'f32' || shape.length !== front + one.layout.rank) wrong(one);
    if (data.length !== sizeOf(shape)) wrong(one, `, ${sizeOf(shape)} numbers and not ${data.length}`);
  }
  const count = front === 1 ? found[0].tensor.shape[0] : Math.max(...found.map((one) => one.direction)) + 1;
  if (count !== 1 && count !== 2) wrong(found[0], ' with 1 or 2 directions');

  const axes = found.map((one) =>
    axesOf(one.layout, projects).map((axis, i) => ({ one, axis, i: i + front })),
  );
  const sizes = solveSizes(
    axes.flat().map(({ one, axis, i }) => ({ axis, length: one.tensor.shape[i], wrong: () => wrong(one) })),
  );
  for (const one of found) {
    const shape = [
      ...(front === 1 ? [count] : []),
      ...axesOf(one.layout, projects).map((axis) => lengthOf(axis, sizes)),
    ];
    if (!sameShape(shape, one.tensor.shape)) wrong(one, ` = ${show(shape)}`);
  }

  const directions = Array.from({ length: count }, () => new Map<string, Float32Array>());
  for (const { direction, layout, tensor } of found) {
    const each = tensor.data.length / (front === 1 ? count : 1);
    for (let d = 0; d < tensor.data.length / each; d++) {
      for (const { block, height, width, at, rowStride, columnStride } of placesOf(layout, sizes)) {
        if (!isUsed(from, block)) continue;
        const numbers = new Float32Array(height * width);
        for (let r = 0; r < height; r++)
          for (let c = 0; c < width; c++)
            numbers[r * width + c] = tensor.data[d * each + at + r * rowStride + c * columnStride];
        directions[direction + d].set(keyOf(block), numbers);
      }
    }
  }
  return { sizes, directions };
}

/** Both biases of every gate, a forget bias in the recurrent one; none where the layer has none. */
function withBothBiases(from: WeightLayout, blocks: Blocks): Blocks {
  const parts = ['bias_ih', 'bias_hh', 'bias'] as const;
  const gates = [...gatesOf[from.kind]];
  const units = gates.flatMap((gate) => parts.map((part) => blocks.get(keyOf({ part, gate }))?.length ?? 0));
  const zeros = new Float32Array(Math.max(...units));
  if (zeros.length === 0) return blocks;
  const settled = new Map(blocks);
  for (const gate of gates) {
    const [ih, hh, one] = parts.map((part) => blocks.get(keyOf({ part, gate })));
    const added = gate === 'f' ? (from.forgetBias ?? 0) : 0;
    settled.delete(keyOf({ part: 'bias', gate }));
    settled.set(keyOf({ part: 'bias_ih', gate }), ih ?? one ?? zeros);
    settled.set(
      keyOf({ part: 'bias_hh', gate }),
      (hh ?? zeros).map((value) => value + added),
    );
  }
  return settled;
}

// Writing ------------------------------------------------------------------------------------------------------------

function write(
  directions: readonly Blocks[],
  sizes: Sizes,
  to: WeightLayout,
  layer: number,
): Map<string, NamedTensor> {
  const present = new Set([...directions[0].keys()].map((key) => groups[key.split(' ')[0] as WeightPart]));
  for (const group of present) {
    if (!Object.values(to.tensors).some((layout) => groupOf(layout) === group))
      throw new GatewiseError(
        'unsupported',
        `${to.name} weights: the layer has ${group}, for which there is no place`,
      );
  }
  if (to.forgetBias !== undefined) present.add('biases');
  const onAxis = 'axis' in to.directions;
  const result = new Map<string, NamedTensor>();
  for (const { name, direction, layout } of namesOf(to, layer, directions.length)) {
    if (!present.has(groupOf(layout))) continue;
    const shape = [
      ...(onAxis ? [directions.length] : []),
      ...axesOf(layout, true).map((axis) => lengthOf(axis, sizes)),
    ];
    const data = new Float32Array(sizeOf(shape));
    const own = onAxis ? directions : [directions[direction]];
    own.forEach((blocks, d) => {
      const start = (d * data.length) / own.length;
      for (const { block, height, width, at, rowStride, columnStride } of placesOf(layout, sizes)) {
        if (!isUsed(to, block)) continue;
        const numbers = numbersOf(to, blocks, block, sizes);
        for (let r = 0; r < height; r++)
          for (let c = 0; c < width; c++)
            data[start + at + r * rowStride + c * columnStride] = numbers[r * width + c];
      }
    });
    result.set(name, { shape, dtype: 'f32', data });
  }
  return result;
}

/** What a block of `to` holds. */
function numbersOf(to: WeightLayout, blocks: Blocks, block: WeightBlock, { H }: Sizes): Float32Array {
  const { part, gate } = block;
  const get = (of: WeightPart): Float32Array | undefined => blocks.get(keyOf({ part: of, gate }));
  if (groups[part] !== 'biases') return get(part) ?? missing(to, block);
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

function missing(to: WeightLayout, block: WeightBlock): never {
  throw new GatewiseError(
    'argument',
    `${to.name} weights: the layer has no ${block.part} of the gate ${block.gate}`,
  );
}
