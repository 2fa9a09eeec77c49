// One recurrent case (test/fixtures/README.md): read, run through the public layers on a runtime, and compared with
// what an independent implementation computed.
import {
  add,
  GatewiseError,
  GRU,
  LSTM,
  mul,
  parseSafetensors,
  RNN,
  sum,
  valueAndGrad,
  type NamedTensor,
  type Recurrent,
  type RNNOptions,
  type Runtime,
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

function refuse(problem: string): never {
  throw new GatewiseError('file', `recurrent case: ${problem}`);
}

/** Reads a case. @throws GatewiseError where the file or an option is not what the format says, or not supported. */
export function readCase(bytes: Uint8Array): RecurrentCase {
  const { tensors, metadata } = parseSafetensors(bytes);
  if (metadata['format'] !== 'recurrent-case/1')
    refuse(`expected format recurrent-case/1, got ${metadata['format']}`);
  const options = JSON.parse(metadata['options'] ?? refuse('there are no options')) as RNNOptions &
    Record<string, unknown>;
  const layer = makeLayer(metadata['kind'], options);
  const states = layer.cell.states;
  const known = new Set([
    'input',
    'lengths',
    ...states.map((state) => `${state}0`),
    ...layer.parameters.map(({ name }) => `param.${name}`),
    ...['output', ...states.map((state) => `${state}N`)].flatMap((name) => [
      `expected.${name}`,
      `cotangent.${name}`,
    ]),
  ]);
  for (const name of tensors.keys()) {
    if (!known.has(name.replace(/^expected_grad\./, ''))) refuse(`unknown tensor "${name}"`);
  }
  if (tensors.has('lengths')) {
    throw new GatewiseError(
      'unsupported',
      `recurrent case: sequences of different lengths ("lengths") are not supported`,
    );
  }
  return { layer, tensors };
}

function makeLayer(kind: string | undefined, options: RNNOptions & Record<string, unknown>): Recurrent {
  // What a case says at its default is no demand on the layer.
  const { bidirectional, projSize, ...rest } = options;
  const asked = {
    ...(bidirectional === true ? { bidirectional } : {}),
    ...(projSize === 0 ? {} : { projSize }),
  };
  const all = { ...rest, ...asked } as RNNOptions;
  switch (kind) {
    case 'rnn':
      return new RNN(all);
    case 'lstm':
      return new LSTM(all);
    case 'gru':
      return new GRU(all);
    default:
      return refuse(`unknown kind "${kind}"; expected rnn, lstm or gru`);
  }
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

  // Everything that has a gradient is the first argument; what came out is kept from the trace.
  type Named = Readonly<Record<string, Value>>;
  let outputs: Named = {};
  const loss = (given: { input: Value; parameters: Named; states: Named }, cotangents: Named): Value => {
    const states = Object.fromEntries(initial.map((name) => [name.slice(0, -1), given.states[name]]));
    const result = layer.forward(given.input, given.parameters, states);
    outputs = {
      output: result.output,
      ...Object.fromEntries(layer.cell.states.map((state) => [`${state}N`, result.states[state]])),
    };
    return values.map((name) => sum(mul(outputs[name], cotangents[name]))).reduce((a, b) => add(a, b));
  };
  const run = runtime.compile(
    (given: { input: Value; parameters: Named; states: Named }, cotangents: Named) => {
      const [, gradient] = valueAndGrad(loss)(given, cotangents);
      return { outputs, gradient };
    },
  );
  const names = layer.parameters.map(({ name }) => name);
  const result = run(
    { input: pick(['input'])['input'], parameters: pick(names, 'param.'), states: pick(initial) },
    pick(values, 'cotangent.'),
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
    // A NaN is larger than any tolerance.
    worst = Number.isNaN(share) ? Infinity : Math.max(worst, share);
  }
  return worst;
}

/** The worst of a case's errors. */
export function worstOf(errors: readonly CaseError[]): CaseError {
  return errors.reduce((a, b) => (b.share > a.share ? b : a));
}
