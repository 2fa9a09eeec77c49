// Runs and differentiates a recurrent layer, from numbers to numbers.
import { Random } from '../src/core/random.ts';
import type { Shape } from '../src/core/shape.ts';
import { Noise, type Context } from '../src/nn/context.ts';
import type { Recurrent } from '../src/nn/recurrent.ts';
import { valueAndGrad } from '../src/train/index.ts';
import { add, mul, sum, type Runtime, type Tensor, type Value } from '../src/index.ts';

export interface Numbers {
  readonly shape: Shape;
  readonly data: Float64Array;
}
export type Named = Readonly<Record<string, Numbers>>;

/** Numbers drawn uniformly from -bound to bound, the same for the same seed. */
export function draw(seed: number, shape: Shape, bound = 1): Numbers {
  const random = new Random(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float64Array.from({ length: size }, () => random.uniform(-bound, bound)) };
}

const drawEach = (seed: number, shapes: readonly (readonly [string, Shape])[], bound = 1): Named =>
  Object.fromEntries(shapes.map(([name, shape], i) => [name, draw(seed + i, shape, bound)]));

export const drawParameters = (layer: Recurrent, seed: number, bound = 1): Named =>
  drawEach(
    seed,
    layer.parameters.map(({ name, shape }) => [name, shape]),
    bound,
  );

export const drawStates = (layer: Recurrent, batch: number, seed: number): Named =>
  drawEach(
    seed,
    layer.states.map(({ name, shape }) => [name, shape(batch)]),
  );

export interface LayerInput {
  /** (T, B, I), or (B, T, I) with `batchFirst`. */
  readonly x: Numbers;
  readonly parameters: Named;
  readonly states?: Named;
  readonly lengths?: readonly number[];
  /** (T, B), or (B, T) with `batchFirst`. */
  readonly mask?: Numbers;
  /** The seed of the noise. The layer trains where it is given. */
  readonly seed?: readonly [number, number];
  /** Cotangents of output and final states: the loss is the sum of their products. */
  readonly cotangents: { readonly output: Numbers; readonly finals: Named };
}

export interface LayerResult {
  readonly output: Numbers;
  readonly finals: Named;
  readonly loss: number;
  readonly dX: Numbers;
  readonly dParameters: Named;
  readonly dStates: Named;
}

type Values = Readonly<Record<string, Value>>;

/** Cotangents for outputs and final states of a layer. */
export function drawCotangents(
  layer: Recurrent,
  steps: number,
  batch: number,
  seed: number,
): LayerInput['cotangents'] {
  const width = layer.outputSize * (layer.bidirectional ? 2 : 1);
  const shape = layer.batchFirst ? [batch, steps, width] : [steps, batch, width];
  return { output: draw(seed, shape), finals: drawStates(layer, batch, seed + 1) };
}

export async function runLayer(runtime: Runtime, layer: Recurrent, input: LayerInput): Promise<LayerResult> {
  const { x, parameters, states = {}, lengths, mask, seed, cotangents } = input;
  const put = ({ data, shape }: Numbers): Tensor => runtime.tensor(data, { shape });
  const putAll = (named: Named): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(named).map(([name, numbers]) => [name, put(numbers)]));
  type Given = { readonly x: Value; readonly parameters: Values; readonly states: Values };
  let made: { output: Value; states: Values } | undefined;
  const loss = (given: Given, context: Values, dOutput: Value, dFinals: Values): Value => {
    const { seed: key, ...rest } = context;
    const own: Context = { ...rest, ...(key === undefined ? {} : { noise: new Noise(key) }) };
    made = layer.forward(given.x, given.parameters, given.states, own);
    const last = made.states;
    return Object.entries(dFinals).reduce(
      (total, [name, d]) => add(total, sum(mul(last[name], d))),
      sum(mul(made.output, dOutput)),
    );
  };
  const run = runtime.compile((given: Given, context: Values, dOutput: Value, dFinals: Values) => {
    const [value, gradient] = valueAndGrad(loss)(given, context, dOutput, dFinals);
    if (made === undefined) throw new Error('the loss was not traced');
    return { value, gradient, output: made.output, finals: made.states };
  });
  const result = run(
    { x: put(x), parameters: putAll(parameters), states: putAll(states) },
    {
      ...(lengths && { lengths: runtime.tensor(Int32Array.from(lengths)) }),
      ...(mask && { mask: put(mask) }),
      ...(seed && { seed: runtime.tensor(Int32Array.from(seed)) }),
    },
    put(cotangents.output),
    putAll(cotangents.finals),
  );
  const take = async (tensor: Tensor): Promise<Numbers> => ({
    shape: tensor.shape,
    data: Float64Array.from(await tensor.read()),
  });
  const takeAll = async (named: Readonly<Record<string, Tensor>>): Promise<Named> =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(named).map(async ([name, tensor]) => [name, await take(tensor)] as const),
      ),
    );
  const { value, gradient, output, finals } = result;
  const all: LayerResult = {
    loss: await value.item(),
    output: await take(output),
    finals: await takeAll(finals),
    dX: await take(gradient.x),
    dParameters: await takeAll(gradient.parameters),
    dStates: await takeAll(gradient.states),
  };
  run.dispose();
  return all;
}

/** All tensors of a result by name. */
export function partsOf({ output, finals, dX, dParameters, dStates }: LayerResult): Named {
  const named = (prefix: string, values: Named): [string, Numbers][] =>
    Object.entries(values).map(([name, numbers]) => [`${prefix} ${name}`, numbers]);
  return {
    output,
    'd x': dX,
    ...Object.fromEntries([
      ...named('final', finals),
      ...named('d', dParameters),
      ...named('d initial', dStates),
    ]),
  };
}

/** The largest difference over the largest expected magnitude, which counts as at least 1. Infinity where one is NaN. */
export function distance(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length) return Infinity;
  const scale = Math.max(1, ...Array.from(expected, Math.abs));
  const errors = Array.from(got, (x, i) => Math.abs(x - expected[i]) / scale);
  return errors.some(Number.isNaN) ? Infinity : Math.max(0, ...errors);
}

/** The parts of two results that differ by more than `limit`. */
export function differing(got: Named, expected: Named, limit: number): string[] {
  return Object.entries(expected).flatMap(([name, numbers]) => {
    const far = distance(got[name].data, numbers.data);
    return far <= limit ? [] : [`${name}: ${far}`];
  });
}
