// Reads a recurrent case (test/fixtures/README.md), runs it through the public layers on a runtime, and compares it with
// the results of an independent implementation.
import { valueAndGrad } from '../src/train/index.ts';
import {
  add,
  GatewiseError,
  GRU,
  LSTM,
  mul,
  parseSafetensors,
  RNN,
  sum,
  type Context,
  type NamedTensor,
  type Recurrent,
  type RNNOptions,
  type Runtime,
  type Shape,
  type Value,
} from '../src/index.ts';

export interface RecurrentCase {
  readonly layer: Recurrent;
  readonly tensors: ReadonlyMap<string, NamedTensor>;
}

/** The error of one tensor: 1 is the tolerance, more is a failure. */
export interface CaseError {
  readonly tensor: string;
  readonly share: number;
}

function refuse(problem: string, cause?: unknown): never {
  throw new GatewiseError('file', `recurrent case: ${problem}`, { cause });
}

/**
 * Reads a case.
 * @param how Options of the layer that change how it runs, but not its results.
 * @throws GatewiseError where the file does not have the format, or an option is not supported.
 */
export function readCase(
  bytes: Uint8Array,
  how: Pick<RNNOptions, 'wavefront' | 'recompute'> = {},
): RecurrentCase {
  const { tensors, metadata } = parseSafetensors(bytes);
  if (metadata['format'] !== 'recurrent-case/1')
    refuse(`expected format recurrent-case/1, got ${metadata['format']}`);
  const kind = metadata['kind'];
  const layer = makeLayer(kind, { ...readOptions(kind, metadata['options']), ...how });
  const shapes = shapesOf(layer, tensors);
  for (const [name, shape] of shapes) {
    const tensor = tensors.get(name) ?? refuse(`no tensor "${name}"`);
    const dtype = name === 'lengths' ? 'i32' : 'f32';
    if (tensor.dtype !== dtype || tensor.shape.join() !== shape.join()) {
      refuse(
        `tensor "${name}": expected ${dtype} [${shape.join(', ')}], got ${tensor.dtype} [${tensor.shape.join(', ')}]`,
      );
    }
  }
  for (const name of tensors.keys()) if (!shapes.has(name)) refuse(`unknown tensor "${name}"`);
  const steps = shapes.get('input')?.[layer.timeAxis] ?? 0;
  const wrong = tensors.get('lengths')?.data.find((length) => length < 1 || length > steps);
  if (wrong !== undefined) refuse(`tensor "lengths": expected 1 to ${steps}, got ${wrong}`);
  return { layer, tensors };
}

type Options = RNNOptions & Readonly<Record<string, unknown>>;

const isSwitch = (value: unknown): boolean => typeof value === 'boolean';
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const ALWAYS: readonly [name: string, expected: string, holds: (value: unknown) => boolean][] = [
  ['inputSize', 'a whole number', isCount],
  ['hiddenSize', 'a whole number', isCount],
  ['numLayers', 'a whole number', isCount],
  ['bias', 'true or false', isSwitch],
  ['batchFirst', 'true or false', isSwitch],
  ['bidirectional', 'true or false', isSwitch],
  ['projSize', 'a whole number', isCount],
];

/** The options of the format for this kind of layer. A layer has others, which the format does not. */
function readOptions(kind: string | undefined, text: string = refuse('there are no options')): Options {
  let options: unknown;
  try {
    options = JSON.parse(text);
  } catch (cause) {
    refuse(`the options are not JSON: ${text}`, cause);
  }
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    refuse(`expected the options to be a JSON object, got ${text}`);
  const found = options as Options;
  for (const [name, expected, holds] of ALWAYS) {
    if (!holds(found[name]))
      refuse(`option "${name}": expected ${expected}, got ${JSON.stringify(found[name]) ?? 'nothing'}`);
  }
  const names = [...ALWAYS.map(([name]) => name), ...(kind === 'rnn' ? ['nonlinearity'] : [])];
  const unknown = Object.keys(found).find((name) => !names.includes(name));
  if (unknown !== undefined) refuse(`unknown option "${unknown}"; expected ${names.join(', ')}`);
  return found;
}

function makeLayer(kind: string | undefined, options: Options): Recurrent {
  switch (kind) {
    case 'rnn':
      if (options.nonlinearity === undefined)
        refuse('option "nonlinearity": expected tanh or relu, got nothing');
      return new RNN(options);
    case 'lstm':
      return new LSTM(options);
    case 'gru':
      return new GRU(options);
    default:
      return refuse(`unknown kind "${kind}"; expected rnn, lstm or gru`);
  }
}

/** The shapes of all tensors that a case of this layer has; initial states where they are given. */
function shapesOf(layer: Recurrent, tensors: RecurrentCase['tensors']): ReadonlyMap<string, Shape> {
  const { shape } = tensors.get('input') ?? refuse('no tensor "input"');
  if (shape.length !== 3 || shape.includes(0) || shape[2] !== layer.inputSize) {
    refuse(
      `tensor "input": expected ${layer.batchFirst ? '[B, T' : '[T, B'}, ${layer.inputSize}], got [${shape.join(', ')}]`,
    );
  }
  const states = layer.states.map((state) => ({
    name: state.name,
    shape: state.shape(shape[layer.batchFirst ? 0 : 1]),
  }));
  const made: [string, Shape][] = [
    ['output', [shape[0], shape[1], layer.outputSize * (layer.bidirectional ? 2 : 1)]],
    ...states.map(({ name, shape }): [string, Shape] => [`${name}N`, shape]),
  ];
  const given: [string, Shape][] = [
    ['input', shape],
    ...states
      .map(({ name, shape }): [string, Shape] => [`${name}0`, shape])
      .filter(([name]) => tensors.has(name)),
    ...layer.parameters.map(({ name, shape }): [string, Shape] => [`param.${name}`, shape]),
  ];
  const prefixed = (prefix: string, list: [string, Shape][]): [string, Shape][] =>
    list.map(([name, shape]) => [prefix + name, shape]);
  return new Map([
    ...given,
    ...(tensors.has('lengths') ? [['lengths', [shape[layer.batchFirst ? 0 : 1]]] as const] : []),
    ...prefixed('expected_grad.', given),
    ...prefixed('expected.', made),
    ...prefixed('cotangent.', made),
  ]);
}

/** Runs a case forward and backward. @returns the error of each value and gradient as a share of its tolerance. */
export async function runCase({ layer, tensors }: RecurrentCase, runtime: Runtime): Promise<CaseError[]> {
  const tensor = (name: string): NamedTensor => tensors.get(name) ?? refuse(`no tensor "${name}"`);
  const pick = (names: readonly string[], prefix = '') =>
    Object.fromEntries(
      names.map((name) => [
        name,
        runtime.tensor(tensor(prefix + name).data, { shape: tensor(prefix + name).shape }),
      ]),
    );
  const initial = layer.cell.states.map((state) => `${state}0`).filter((name) => tensors.has(name));
  const finals = layer.cell.states.map((state) => `${state}N`);
  const values = ['output', ...finals];

  // The first argument has everything with a gradient. The trace stores the layer's results.
  type Named = Readonly<Record<string, Value>>;
  let outputs: Named = {};
  const loss = (
    given: { input: Value; parameters: Named; states: Named },
    cotangents: Named,
    context: Context,
  ): Value => {
    const states = Object.fromEntries(initial.map((name) => [name.slice(0, -1), given.states[name]]));
    const result = layer.forward(given.input, given.parameters, states, context);
    outputs = {
      output: result.output,
      ...Object.fromEntries(layer.cell.states.map((state) => [`${state}N`, result.states[state]])),
    };
    return values.map((name) => sum(mul(outputs[name], cotangents[name]))).reduce((a, b) => add(a, b));
  };
  const run = runtime.compile(
    (given: { input: Value; parameters: Named; states: Named }, cotangents: Named, context: Context) => {
      const [, gradient] = valueAndGrad(loss)(given, cotangents, context);
      return { outputs, gradient };
    },
  );
  const names = layer.parameters.map(({ name }) => name);
  const result = run(
    { input: pick(['input'])['input'], parameters: pick(names, 'param.'), states: pick(initial) },
    pick(values, 'cotangent.'),
    tensors.has('lengths') ? pick(['lengths']) : {},
  );
  const { input, parameters, states } = result.gradient;
  const got = [
    ...values.map((name) => ({ name: `expected.${name}`, tensor: result.outputs[name], factor: 1 })),
    { name: 'expected_grad.input', tensor: input, factor: 10 },
    ...initial.map((name) => ({ name: `expected_grad.${name}`, tensor: states[name], factor: 10 })),
    ...names.map((name) => ({ name: `expected_grad.param.${name}`, tensor: parameters[name], factor: 10 })),
  ];
  const errors = await Promise.all(
    got.map(async ({ name, tensor: made, factor }): Promise<CaseError> => {
      const expected = tensor(name);
      if (made.shape.join() !== expected.shape.join())
        refuse(`${name} has shape [${made.shape.join()}], expected [${expected.shape.join()}]`);
      return { tensor: name, share: shareOfTolerance(await made.read(), expected.data, factor) };
    }),
  );
  run.dispose();
  return errors;
}

/** The largest |got - expected| / (atol + rtol·|expected|); atol 1e-5 of the largest, rtol 1e-4, both times `factor`. */
function shareOfTolerance(got: ArrayLike<number>, expected: ArrayLike<number>, factor: number): number {
  let largest = 0;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]));
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(got[i] - expected[i]);
    if (difference === 0) continue;
    const share = difference / (factor * (1e-5 * largest + 1e-4 * Math.abs(expected[i])));
    // NaN exceeds every tolerance.
    worst = Number.isNaN(share) ? Infinity : Math.max(worst, share);
  }
  return worst;
}

/** The largest of a case's errors. */
export function worstOf(errors: readonly CaseError[]): CaseError {
  return errors.reduce((a, b) => (b.share > a.share ? b : a));
}
