// Layers with converted weights against the results of ONNX Runtime, Keras and TF.js with their own weights
// (test/fixtures/frameworks/README.md).
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import {
  convertWeights,
  createRuntime,
  elmanTanh,
  gru,
  gruResetBefore,
  layouts,
  lstm,
  lstmCoupled,
  lstmPeephole,
  onnxGRU,
  onnxLSTM,
  onnxRNN,
  parseSafetensors,
  Recurrent,
  type Activation,
  type Cell,
  type Context,
  type NamedTensor,
  type ONNXOptions,
  type Runtime,
  type Tensor,
  type Value,
  type Values,
  type WeightKind,
  type WeightLayout,
} from '../../src/index.ts';

type Tensors = ReadonlyMap<string, NamedTensor>;
const ownOf = ({ kind }: WeightLayout): WeightLayout => layouts.pytorch[kind];

const folder = join(import.meta.dirname, '../fixtures/frameworks');
const files = readdirSync(folder).filter((file) => file.endsWith('.st'));

interface FrameworkCase {
  readonly layout: WeightLayout;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Under the framework's names. */
  readonly weights: Tensors;
  readonly tensor: (name: string) => NamedTensor | undefined;
}

function readCase(file: string): FrameworkCase {
  const { tensors, metadata } = parseSafetensors(readFileSync(join(folder, file)));
  if (metadata['format'] !== 'framework-case/1') throw new Error(`${file}: not a framework case`);
  const kinds: Readonly<Record<string, WeightLayout>> = { ...layouts }[metadata['framework'] as 'onnx'];
  const layout = kinds[metadata['layout']];
  const attributes = JSON.parse(metadata['attributes']) as FrameworkCase['attributes'];
  const weights = [...tensors].filter(([name]) => name.startsWith('weight.'));
  return {
    layout:
      'forget_bias' in attributes ? { ...layout, forgetBias: attributes['forget_bias'] as number } : layout,
    attributes,
    weights: new Map(weights.map(([name, tensor]) => [name.slice('weight.'.length), tensor])),
    tensor: (name) => tensors.get(name),
  };
}

test('there are cases of every framework', () => {
  const of = (prefix: string): number => files.filter((file) => file.startsWith(prefix)).length;
  expect([of('onnx_'), of('keras_'), of('tfjs_')]).toEqual([31, 15, 8]);
});

test.each(files)('%s: its weights survive a round trip', (file) => {
  const { layout, weights } = readCase(file);
  const own = convertWeights(weights, layout, ownOf(layout));
  const back = convertWeights(own, ownOf(layout), layout);
  // The rows of a coupled forget gate are lost.
  const expected = layout.kind === 'lstm_coupled' ? convertWeights(weights, layout, layout) : weights;
  expect(back).toEqual(expected);
  expect(convertWeights(back, layout, ownOf(layout))).toEqual(own);
});

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ backend: 'cpu' });
});
afterAll(() => runtime.dispose());

/** (T, …) with its steps in reverse order. */
function flipped({ shape, dtype, data }: NamedTensor): NamedTensor {
  const row = data.length / shape[0];
  return {
    shape,
    dtype,
    data: data.map((_, i) => data[data.length - row * (Math.floor(i / row) + 1) + (i % row)]),
  };
}

/** The activations of an ONNX node. Its lists of alphas and betas skip activations that take none. */
function activationsOf(attributes: FrameworkCase['attributes']): Activation[] | undefined {
  const list = (name: string): unknown[] => [...((attributes[name] ?? []) as unknown[])];
  const [alphas, betas] = [list('activation_alpha'), list('activation_beta')];
  const takesBeta = ['Affine', 'HardSigmoid', 'ScaledTanh'];
  const takesAlpha = [...takesBeta, 'Elu', 'LeakyRelu', 'ThresholdedRelu'];
  if (attributes['activations'] === undefined) return undefined;
  return (attributes['activations'] as Activation['name'][]).map((name): Activation => {
    const alpha = takesAlpha.includes(name) ? (alphas.shift() as number | undefined) : undefined;
    const beta = takesBeta.includes(name) ? (betas.shift() as number | undefined) : undefined;
    return Object.assign({ name }, alpha === undefined ? {} : { alpha }, beta === undefined ? {} : { beta });
  });
}

/** ONNX's cell of the case. Keras's hard sigmoid is ONNX's with another alpha and beta. */
function onnxCell({ layout, attributes, weights }: FrameworkCase): Cell {
  const hard = attributes['recurrent_activation'] ?? attributes['recurrentActivation'];
  const alpha = { hard_sigmoid: 1 / 6, hardSigmoid: 0.2 }[String(hard)];
  const first: Activation =
    alpha === undefined ? { name: 'Sigmoid' } : { name: 'HardSigmoid', alpha, beta: 0.5 };
  const clip = 'clip' in attributes ? { clip: attributes['clip'] as number } : {};
  const given = activationsOf(attributes);
  const options = (count: number): ONNXOptions => ({
    ...clip,
    activations: given?.slice(0, count) ?? [first, 'Tanh', 'Tanh'].slice(0, count),
  });
  if (layout.kind === 'rnn') return onnxRNN({ ...clip, ...(given && { activations: given.slice(0, 1) }) });
  if (layout.kind.startsWith('gru'))
    return onnxGRU({ ...options(2), linearBeforeReset: layout.kind === 'gru' });
  return onnxLSTM({
    ...options(3),
    peepholes: weights.has('P'),
    inputForget: layout.kind === 'lstm_coupled',
  });
}

const plainCells: Readonly<Record<WeightKind, Cell>> = {
  rnn: elmanTanh,
  lstm,
  lstm_coupled: lstmCoupled,
  gru,
  gru_reset_before: gruResetBefore,
};

/** PyTorch's cell, where the case has PyTorch's activations and no clip. */
function plainCell({ layout, attributes, weights }: FrameworkCase): Cell | undefined {
  const unusual =
    'activations' in attributes || 'clip' in attributes || /hard/i.test(JSON.stringify(attributes));
  if (unusual || (layout.kind === 'lstm_coupled' && weights.has('P'))) return undefined;
  return layout.kind === 'lstm' && weights.has('P') ? lstmPeephole : plainCells[layout.kind];
}

// Its directions have different activations, but a layer has one cell. Only its weights are tested, above.
const TWO_CELLS = 'onnx_lstm_activations_bidirectional.st';

test('only that case has more activations than a cell', () => {
  const count = (file: string): number => activationsOf(readCase(file).attributes)?.length ?? 0;
  expect(files.filter((file) => count(file) > 3)).toEqual([TWO_CELLS]);
});

const ready = files.filter((file) => file !== TWO_CELLS);
const isCoupled = (file: string): boolean => readCase(file).layout.kind === 'lstm_coupled';
const runs = [
  // Not with coupled gates: onnxLSTM reads the gate f, which the coupled cell does not declare.
  ...ready.filter((file) => !isCoupled(file)).map((file) => [file, "ONNX's cell", onnxCell] as const),
  ...ready
    .filter((file) => plainCell(readCase(file)) !== undefined)
    .map((file) => [file, 'our own cell', plainCell] as const),
];
test.each(runs)('%s: a layer of %s with its weights gives its output', async (file, _, cellOf) => {
  const one = readCase(file);
  const { layout, attributes, weights, tensor } = one;
  const cell = cellOf(one);
  if (cell === undefined) throw new Error(`${file}: expected a cell`);
  const parameters = convertWeights(weights, layout, ownOf(layout));
  const need = (name: string): NamedTensor => {
    const found = tensor(name);
    if (found === undefined) throw new Error(`${file}: expected a tensor ${name}`);
    return found;
  };
  const bidirectional = parameters.has('weight_ih_l0_reverse');
  const layer = new Recurrent('Recurrent', cell, {
    inputSize: need('input').shape[2],
    hiddenSize: need('expected.output').shape[2] / (bidirectional ? 2 : 1),
    bias: parameters.has('bias_ih_l0'),
    bidirectional,
  });
  expect([...parameters.keys()].toSorted()).toEqual(layer.parameters.map(({ name }) => name).toSorted());

  const put = ({ shape, data }: NamedTensor): Tensor => runtime.tensor(data, { shape });
  const pick = (names: readonly string[], suffix = ''): Record<string, Tensor> =>
    Object.fromEntries(
      names.filter((name) => tensor(name + suffix)).map((name) => [name, put(need(name + suffix))]),
    );
  const inTime = attributes['direction'] === 'reverse' ? flipped : (given: NamedTensor): NamedTensor => given;
  const run = runtime.compile((x: Value, given: Values, initial: Values, context: Context) =>
    layer.forward(x, given, initial, context),
  );
  const { output, states } = run(
    put(inTime(need('input'))),
    Object.fromEntries([...parameters].map(([name, each]) => [name, put(each)])),
    pick(cell.states, '0'),
    pick(['lengths', 'mask']),
  );

  const errorOf = async (got: Tensor, expected: NamedTensor): Promise<number> => {
    expect(got.shape).toEqual(expected.shape);
    let data = await got.read();
    // Keras's Bidirectional outputs 0 at masked steps.
    const mask = bidirectional && got === output ? tensor('mask')?.data : undefined;
    if (mask !== undefined) data = data.map((value, i) => value * mask[Math.floor(i / got.shape[2])]);
    return Math.max(...expected.data.map((value, i) => Math.abs(value - data[i])));
  };
  const finals = cell.states.filter((state) => tensor(`expected.${state}N`));
  // TF.js's Bidirectional does not return its states.
  expect(finals).toEqual(file === 'tfjs_lstm_bidirectional.st' ? [] : cell.states);
  const errors = await Promise.all([
    errorOf(output, inTime(need('expected.output'))),
    ...finals.map((state) => errorOf(states[state], need(`expected.${state}N`))),
  ]);
  expect(errors.filter((error) => !(error <= 1e-5))).toEqual([]);
  run.dispose();
});
