// The format of a recurrent case, and that every error in its results is found.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cases } from 'virtual:recurrent-cases';

import {
  createRuntime,
  parseSafetensors,
  serializeSafetensors,
  type NamedTensor,
  type Runtime,
} from '../../src/index.ts';
import { readCase, runCase, worstOf, type CaseError } from '../recurrent_case.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ backend: 'cpu' });
});
afterAll(() => runtime.dispose());

describe('an error is found', () => {
  /** The errors of a case with all tensors of an LSTM, after a change to its tensors. */
  async function errorsOf(
    change: (name: string, data: Float32Array) => void,
  ): Promise<{ expected: string[]; errors: readonly CaseError[] }> {
    const found = cases.find(({ name }) => name.endsWith('lstm_i8_h16_l1_t9_b4_h0_c0'));
    if (found === undefined) throw new Error(`expected that case, got ${cases.map((c) => c.name).join()}`);
    const { layer, tensors } = readCase(await found.load());
    const expected = [...tensors.keys()].filter((name) => name.startsWith('expected'));
    const changed = new Map(
      [...tensors].map(([name, tensor]) => {
        const data = Float32Array.from(tensor.data);
        if (expected.includes(name)) change(name, data);
        return [name, { ...tensor, data }] as const;
      }),
    );
    return { expected, errors: await runCase({ layer, tensors: changed }, runtime) };
  }

  test('in the last element of every value and gradient', async () => {
    const { expected, errors } = await errorsOf((_, data) => {
      const largest = data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      data[data.length - 1] += 0.01 * largest;
    });
    expect(errors.map(({ tensor }) => tensor).toSorted()).toEqual(expected.toSorted());
    expect(errors.filter(({ share }) => !(share > 1))).toEqual([]);
  });

  test('in one tensor, as the worst of all', async () => {
    const { errors } = await errorsOf((name, data) => {
      if (name === 'expected_grad.c0') data[0] += 1;
    });
    expect(worstOf(errors).tensor).toBe('expected_grad.c0');
    expect(errors.filter(({ share }) => share > 1)).toHaveLength(1);
  });

  test.each([
    ['NaN', NaN],
    ['Infinity', Infinity],
  ])('where there is %s', async (_, value) => {
    const { errors } = await errorsOf((name, data) => {
      if (name === 'expected.hN') data[data.length - 1] = value;
    });
    expect(worstOf(errors)).toEqual({ tensor: 'expected.hN', share: Infinity });
  });

  test('where all expected elements are 0, so that the tolerance is 0', async () => {
    const { errors } = await errorsOf((name, data) => {
      if (name === 'expected.cN') data.fill(0);
    });
    expect(worstOf(errors)).toEqual({ tensor: 'expected.cN', share: Infinity });
  });
});

describe('a case that does not have the format', () => {
  type Change = (tensors: Map<string, NamedTensor>, metadata: Record<string, string>) => void;

  /** Reads a case after a change to the file. */
  async function readChanged(name: string, change: Change): Promise<unknown> {
    const found = cases.find((each) => each.name.endsWith(name));
    if (found === undefined)
      throw new Error(`expected a case ${name}, got ${cases.map((c) => c.name).join()}`);
    const file = parseSafetensors(await found.load());
    const tensors = new Map(file.tensors);
    const metadata = { ...file.metadata };
    change(tensors, metadata);
    return readCase(serializeSafetensors(tensors, metadata));
  }

  const LSTM = 'teaching/lstm_10_20_sum';
  const option =
    (name: string, value: unknown): Change =>
    (_, metadata) => {
      metadata['options'] = JSON.stringify({ ...JSON.parse(metadata['options']), [name]: value });
    };
  const meta =
    (name: string, value: string | undefined): Change =>
    (_, metadata) => {
      if (value === undefined) delete metadata[name];
      else metadata[name] = value;
    };
  const remove =
    (name: string): Change =>
    (tensors) =>
      void tensors.delete(name);
  const put =
    (name: string, shape: number[], dtype: 'f32' | 'i32' = 'f32'): Change =>
    (tensors) => {
      const count = shape.reduce((product, n) => product * n, 1);
      const data = dtype === 'f32' ? new Float32Array(count) : new Int32Array(count);
      tensors.set(name, { shape, dtype, data });
    };

  test('the unchanged file, with bidirectional and projSize at their defaults, is read', async () => {
    let options: unknown;
    await readChanged(LSTM, (_, metadata) => (options = JSON.parse(metadata['options'])));
    expect(options).toMatchObject({ bidirectional: false, projSize: 0 });
  });

  test.each<[string, Change, string, RegExp]>([
    [
      'another format',
      meta('format', 'recurrent-case/2'),
      'file',
      /expected format recurrent-case\/1, got .*2/,
    ],
    ['no format', meta('format', undefined), 'file', /got undefined/],
    ['another kind', meta('kind', 'qrnn'), 'file', /unknown kind "qrnn"; expected rnn, lstm or gru/],
    ['no options', meta('options', undefined), 'file', /there are no options/],
    ['options that are not JSON', meta('options', '{'), 'file', /options are not JSON: \{/],
    ['options that are a list', meta('options', '[]'), 'file', /options to be a JSON object, got \[\]/],
    ['options that are null', meta('options', 'null'), 'file', /options to be a JSON object, got null/],
    [
      'one direction of two',
      option('bidirectional', true),
      'file',
      /no tensor "param\.weight_ih_l0_reverse"/,
    ],
    ['a yes for true', option('bidirectional', 'yes'), 'file', /"bidirectional": .*true or false, got "yes"/],
    ['no bias option', option('bias', undefined), 'file', /"bias": expected true or false, got nothing/],
    ['no numLayers', option('numLayers', undefined), 'file', /"numLayers": .*whole number, got nothing/],
    [
      'projSize and no projection',
      option('projSize', 5),
      'file',
      /"param\.weight_hh_l0": expected f32 \[80, 5\]/,
    ],
    [
      'a projSize as large as h',
      option('projSize', 20),
      'argument',
      /projSize must be .*below hiddenSize 20/,
    ],
    ['no hidden units', option('hiddenSize', 0), 'argument', /hiddenSize must be .*at least 1, got 0/],
    [
      'an option that the format does not have',
      option('dropout', 0.5),
      'file',
      /unknown option "dropout"; expected inputSize/,
    ],
    ['a nonlinearity', option('nonlinearity', 'relu'), 'file', /unknown option "nonlinearity"/],
    ['a length of 0', put('lengths', [3], 'i32'), 'file', /"lengths": expected 1 to 5, got 0/],
    ['lengths that are not integers', put('lengths', [3]), 'file', /"lengths": expected i32 \[3\], got f32/],
    ['too few lengths', put('lengths', [2], 'i32'), 'file', /"lengths": expected i32 \[3\], got i32 \[2\]/],
    ['no input', remove('input'), 'file', /no tensor "input"/],
    ['no value', remove('expected.cN'), 'file', /no tensor "expected\.cN"/],
    ['no cotangent', remove('cotangent.hN'), 'file', /no tensor "cotangent\.hN"/],
    ['no gradient', remove('expected_grad.input'), 'file', /no tensor "expected_grad\.input"/],
    ['no parameter', remove('param.bias_hh_l0'), 'file', /no tensor "param\.bias_hh_l0"/],
    ['a state without its gradient', put('h0', [1, 3, 20]), 'file', /no tensor "expected_grad\.h0"/],
    [
      'a gradient without its state',
      put('expected_grad.h0', [1, 3, 20]),
      'file',
      /unknown .*"expected_grad\.h0"/,
    ],
    ['an unknown tensor', put('extra', [1]), 'file', /unknown tensor "extra"/],
    ['a gradient of what has none', put('expected_grad.cotangent.hN', [1]), 'file', /unknown tensor/],
    ['indices as input', put('input', [5, 3, 10], 'i32'), 'file', /"input": expected f32 .*, got i32/],
    [
      'an input of another size',
      put('input', [5, 3, 9]),
      'file',
      /"input": expected \[T, B, 10\], got \[5, 3, 9\]/,
    ],
    ['an input of no steps', put('input', [0, 3, 10]), 'file', /"input": .*got \[0, 3, 10\]/],
    // Without a check these would pass as broadcast operands.
    [
      'a narrow cotangent',
      put('cotangent.hN', [1]),
      'file',
      /"cotangent\.hN": expected f32 \[1, 3, 20\].*\[1\]/,
    ],
    [
      'a narrow bias',
      put('param.bias_ih_l0', [1]),
      'file',
      /"param\.bias_ih_l0": expected f32 \[80\].*\[1\]/,
    ],
  ])('with %s is refused', async (_, change, code, message) => {
    const reading = readChanged(LSTM, change);
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toMatchObject({ name: 'GatewiseError', code });
  });

  test('a length greater than T is refused', async () => {
    await expect(
      readChanged(LSTM, (tensors) =>
        tensors.set('lengths', { shape: [3], dtype: 'i32', data: Int32Array.of(5, 1, 6) }),
      ),
    ).rejects.toThrow(/"lengths": expected 1 to 5, got 6/);
  });

  test('a gru with a projection is refused', async () => {
    const gru = cases.find(({ name }) => /gru_/.test(name));
    await expect(readChanged(gru?.name ?? 'gru', option('projSize', 2))).rejects.toMatchObject({
      code: 'unsupported',
    });
  });

  test('an rnn without a nonlinearity is refused', async () => {
    const rnn = cases.find(({ name }) => /rnn_/.test(name));
    await expect(readChanged(rnn?.name ?? 'rnn', option('nonlinearity', undefined))).rejects.toThrow(
      /"nonlinearity": expected tanh or relu, got nothing/,
    );
  });

  test('a truncated file is refused', async () => {
    const bytes = await cases[0].load();
    expect(() => readCase(bytes.subarray(0, -1))).toThrow(/truncated/);
  });
});
