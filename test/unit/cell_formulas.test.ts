// Every cell against its paper's equations, and ONNX's cells against ONNX's equations, in float64.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { allCells } from '../../src/cells/index.ts';
import {
  createRuntime,
  onnxGRU,
  onnxLSTM,
  onnxRNN,
  Recurrent,
  type Activation,
  type Cell,
  type ONNXOptions,
  type RecurrentOptions,
  type Runtime,
} from '../../src/index.ts';
import { formulas, runFormula, type Formula } from '../cell_formulas.ts';
import { differing, draw, drawCotangents, drawParameters, drawStates, runLayer } from '../layer_run.ts';

const STEPS = 5;
const BATCH = 3;
const LIMIT = 1e-10;

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ backend: 'cpu', arithmetic: 'float64' });
});
afterAll(() => runtime.dispose());

/** Differences between a layer of the cell and the formula. @param bound The largest magnitude of parameters and inputs. */
async function errorsOf(
  cell: Cell,
  formula: Formula,
  options: Partial<RecurrentOptions> = {},
  bound = 1,
): Promise<string[]> {
  const layer = new Recurrent('Recurrent', cell, {
    inputSize: 4,
    hiddenSize: 7,
    ...(cell.projects ? { projSize: 3 } : {}),
    ...options,
  });
  const x = draw(1, [STEPS, BATCH, 4], 2 * bound);
  const parameters = drawParameters(layer, 10, bound);
  const states = drawStates(layer, BATCH, 100);
  const got = await runLayer(runtime, layer, {
    x,
    parameters,
    states,
    cotangents: drawCotangents(layer, STEPS, BATCH, 200),
  });
  const expected = runFormula(layer, formula, x, parameters, states);
  const named = Object.entries(expected.finals).map(
    ([name, data]) => [name, { data, shape: got.finals[name].shape }] as const,
  );
  return differing(
    { output: got.output, ...got.finals },
    { output: { data: expected.output, shape: got.output.shape }, ...Object.fromEntries(named) },
    LIMIT,
  );
}

test('every cell has a formula', () => {
  expect(Object.keys(formulas).toSorted()).toEqual(allCells.map(({ name }) => name).toSorted());
});

describe.each(allCells.map((cell) => [cell.name, cell] as const))('%s', (name, cell) => {
  test.each<[string, Partial<RecurrentOptions>]>([
    ['one layer', {}],
    ['without biases', { bias: false }],
    ['one unit of h', cell.projects ? { hiddenSize: 2, projSize: 1 } : { hiddenSize: 1 }],
    ['two layers of two directions', { numLayers: 2, bidirectional: true }],
  ])('%s equals the formula of its paper', async (_, options) => {
    expect(await errorsOf(cell, formulas[name], options)).toEqual([]);
  });

  test('another formula gives other results', async () => {
    const off: Formula = (step) => {
      const made = formulas[name](step);
      return { ...made, h: made['h'].map((value) => value + 1e-8) };
    };
    expect(await errorsOf(cell, off)).not.toEqual([]);
  });
});

// -- ONNX: https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html

type Function = (x: number) => number;

/** Each activation with its default alpha and beta, and with others. */
const activations: readonly (readonly [given: Activation | string, by: Function])[] = [
  ['Relu', (x) => Math.max(0, x)],
  ['Tanh', (x) => (1 - Math.exp(-2 * x)) / (1 + Math.exp(-2 * x))],
  ['Sigmoid', (x) => 1 / (1 + Math.exp(-x))],
  ['Affine', (x) => x],
  [{ name: 'Affine', alpha: 0.3, beta: -0.2 }, (x) => 0.3 * x - 0.2],
  ['LeakyRelu', (x) => (x >= 0 ? x : 0.01 * x)],
  [{ name: 'LeakyRelu', alpha: 0.4 }, (x) => (x >= 0 ? x : 0.4 * x)],
  ['ThresholdedRelu', (x) => (x >= 1 ? x : 0)],
  [{ name: 'ThresholdedRelu', alpha: 0.25 }, (x) => (x >= 0.25 ? x : 0)],
  ['ScaledTanh', Math.tanh],
  [{ name: 'ScaledTanh', alpha: 1.7, beta: 0.6 }, (x) => 1.7 * Math.tanh(0.6 * x)],
  ['HardSigmoid', (x) => Math.min(Math.max(0.2 * x + 0.5, 0), 1)],
  [{ name: 'HardSigmoid', alpha: 0.5, beta: 0.3 }, (x) => Math.min(Math.max(0.5 * x + 0.3, 0), 1)],
  ['Elu', (x) => (x >= 0 ? x : Math.exp(x) - 1)],
  [{ name: 'Elu', alpha: 0.5 }, (x) => (x >= 0 ? x : 0.5 * (Math.exp(x) - 1))],
  ['Softsign', (x) => x / (1 + Math.abs(x))],
  ['Softplus', (x) => Math.log(1 + Math.exp(x))],
];
const byName = (wanted: string): Function => {
  const found = activations.find(([given]) => given === wanted);
  if (found === undefined) throw new Error(`no activation ${wanted}`);
  return found[1];
};
const label = (given: Activation | string): string =>
  typeof given === 'string' ? given : Object.values(given).join(' ');

interface Onnx {
  /** The activations f, g and h. */
  readonly functions: readonly Function[];
  readonly clip?: number;
  readonly linear?: boolean;
  readonly coupled?: boolean;
  readonly peepholes?: boolean;
}
const clipping =
  ({ clip = Infinity }: Onnx) =>
  (x: number): number =>
    Math.min(Math.max(x, -clip), clip);

const rnnFormula = (onnx: Onnx): Formula => {
  const clip = clipping(onnx);
  return ({ x, r, s: { h } }) => {
    const recurrent = r(0, h);
    return { h: x(0).map((a, u) => onnx.functions[0](clip(a + recurrent[u]))) };
  };
};

const gruFormula = (onnx: Onnx): Formula => {
  const {
    functions: [f, g],
    linear = false,
  } = onnx;
  const clip = clipping(onnx);
  return ({ x, r, s: { h } }) => {
    const gate = (n: number): number[] => {
      const recurrent = r(n, h);
      return x(n).map((a, u) => f(clip(a + recurrent[u])));
    };
    const [reset, z] = [gate(0), gate(1)];
    const after = r(2, h).map((a, u) => reset[u] * a);
    const before = r(
      2,
      h.map((a, u) => reset[u] * a),
    );
    const candidate = x(2).map((a, u) => g(clip(a + (linear ? after : before)[u])));
    return { h: h.map((old, u) => (1 - z[u]) * candidate[u] + z[u] * old) };
  };
};

const lstmFormula = (onnx: Onnx): Formula => {
  const {
    functions: [f, g, last],
    coupled = false,
    peepholes = false,
  } = onnx;
  const clip = clipping(onnx);
  return ({ x, r, s: { h, c }, w }) => {
    const order = coupled ? ['i', 'g', 'o'] : ['i', 'f', 'g', 'o'];
    const before = Object.fromEntries(
      order.map((gate, n) => {
        const recurrent = r(n, h);
        return [gate, x(n).map((a, u) => a + recurrent[u])];
      }),
    );
    const peep = (gate: string, state: readonly number[], u: number): number =>
      peepholes ? w[`weight_c${gate}`][u] * state[u] : 0;
    const next = c.map((old, u) => {
      const input = f(clip(before['i'][u] + peep('i', c, u)));
      const forget = coupled ? 1 - input : f(clip(before['f'][u] + peep('f', c, u)));
      return forget * old + input * g(clip(before['g'][u]));
    });
    return {
      c: next,
      h: next.map((now, u) => f(clip(before['o'][u] + peep('o', next, u))) * last(now)),
    };
  };
};

describe('ONNX', () => {
  test.each(activations.map(([given, by]) => [label(given), given, by] as const))(
    '%s, as f, g and h',
    async (_, given, by) => {
      const [sigmoid, tanh] = [byName('Sigmoid'), byName('Tanh')];
      const list = (at: number, defaults: readonly string[]): ONNXOptions => ({
        activations: defaults.map((name, i) => (i === at ? given : name)),
      });
      const functions = (at: number, defaults: readonly Function[]): Onnx => ({
        functions: defaults.map((own, i) => (i === at ? by : own)),
      });
      expect(await errorsOf(onnxRNN({ activations: [given] }), rnnFormula({ functions: [by] }))).toEqual([]);
      for (const at of [0, 1])
        expect(
          await errorsOf(
            onnxGRU(list(at, ['Sigmoid', 'Tanh'])),
            gruFormula(functions(at, [sigmoid, tanh])),
            {},
            0.2,
          ),
        ).toEqual([]);
      for (const at of [0, 1, 2])
        expect(
          await errorsOf(
            onnxLSTM(list(at, ['Sigmoid', 'Tanh', 'Tanh'])),
            lstmFormula(functions(at, [sigmoid, tanh, tanh])),
            {},
            0.2,
          ),
        ).toEqual([]);
    },
  );

  const gates = [byName('Sigmoid'), byName('Tanh'), byName('Tanh')];
  test.each([undefined, 0.4])('clip %s, with every other attribute', async (clip) => {
    const own = { functions: gates, ...(clip === undefined ? {} : { clip }) };
    const options = clip === undefined ? {} : { clip };
    const both = { numLayers: 1, bidirectional: true };
    expect(await errorsOf(onnxRNN(options), rnnFormula({ ...own, functions: [Math.tanh] }), both)).toEqual(
      [],
    );
    for (const linear of [false, true])
      expect(
        await errorsOf(
          onnxGRU({ ...options, linearBeforeReset: linear }),
          gruFormula({ ...own, linear }),
          both,
        ),
      ).toEqual([]);
    for (const coupled of [false, true]) {
      for (const peepholes of [false, true]) {
        const cell = onnxLSTM({ ...options, inputForget: coupled, peepholes });
        expect(await errorsOf(cell, lstmFormula({ ...own, coupled, peepholes }), both)).toEqual([]);
      }
    }
  });

  test('by default an operator equals the cell of the same name', async () => {
    expect(await errorsOf(onnxLSTM(), formulas['lstm'])).toEqual([]);
    expect(await errorsOf(onnxGRU(), formulas['gru_reset_before'])).toEqual([]);
    expect(await errorsOf(onnxGRU({ linearBeforeReset: true }), formulas['gru'])).toEqual([]);
    expect(await errorsOf(onnxRNN(), formulas['elman_tanh'])).toEqual([]);
    expect(await errorsOf(onnxLSTM({ peepholes: true }), formulas['lstm_peephole'])).toEqual([]);
    expect(await errorsOf(onnxLSTM({ inputForget: true }), formulas['lstm_coupled'])).toEqual([]);
  });
});
