// How lengths and masks get from net.run to a layer, shown by a layer that outputs them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import * as tools from '../../src/tools/index.ts';
import {
  add,
  createRuntime,
  Linear,
  reshape,
  Sequential,
  sum,
  transpose,
  where,
  zeros,
  type ErrorCode,
  type HostData,
  type Layer,
  type Net,
  type RunOptions,
  type Runtime,
  type Tensor,
} from '../../src/index.ts';
import { sequenceMask } from '../../src/ops/sequence_mask.ts';
import { failure } from '../failure.ts';
import { backend } from '../setup/backend.ts';
import { swapAxes } from '../swap_axes.ts';

/** Outputs 0 at masked steps, and as its state the number of the other steps. */
const counting = (timeAxis: 0 | 1): Layer => ({
  name: 'Counting',
  parameters: [],
  states: [{ name: 'n', shape: (batch) => [batch] }],
  inputDType: 'f32',
  timeAxis,
  forward: (x, _, states = {}, { lengths, mask, noise } = {}) => {
    expect(noise).toBeUndefined();
    const [steps, batch] = [x.shape[timeAxis], x.shape[1 - timeAxis]];
    const before = states['n'] ?? zeros([batch]);
    const valid = lengths === undefined ? undefined : sequenceMask(lengths, steps);
    const counted = mask ?? (valid === undefined || timeAxis === 0 ? valid : transpose(valid));
    return counted === undefined
      ? { output: x, states: { n: add(before, steps) } }
      : {
          output: where(reshape(counted, [...counted.shape, 1]), x, 0),
          states: { n: add(before, sum(counted, timeAxis)) },
        };
  },
});

// (T, B) of 3 steps and 2 sequences.
const steps = [
  [1, 2],
  [3, 4],
  [5, 6],
];

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  describe.each([0, 1] as const)('time axis %d', (timeAxis) => {
    const turned = (rows: number[][]): number[][] => (timeAxis === 0 ? rows : swapAxes(rows));
    const x = turned(steps).map((row) => row.map((value) => [value]));
    const mask = turned([
      [1, 0],
      [0, 1],
      [1, 0],
    ]);
    const lengths = [3, 1];
    let net: Net;
    let inside: Net;
    beforeAll(async () => {
      net = await runtime.load(counting(timeAxis));
      // Behind a layer without an axis of time.
      inside = await runtime.load(
        new Sequential([new Linear({ inputSize: 1, outputSize: 1, bias: false }), counting(timeAxis)]),
      );
    });

    const masked = turned([
      [1, 0],
      [0, 4],
      [5, 0],
    ]).flat();
    const cut = turned([
      [1, 2],
      [3, 0],
      [5, 0],
    ]).flat();
    const tensorOf = (data: HostData, dtype: 'f32' | 'i32'): Tensor => runtime.tensor(data, { dtype });
    test.each<[what: string, options: () => RunOptions, output: number[], counts: number[]]>([
      ['nothing', () => ({}), turned(steps).flat(), [3, 3]],
      ['lengths', () => ({ lengths }), cut, [3, 1]],
      ['lengths of an Int32Array', () => ({ lengths: Int32Array.from(lengths) }), cut, [3, 1]],
      ['lengths of a tensor', () => ({ lengths: tensorOf(lengths, 'i32') }), cut, [3, 1]],
      ['a mask', () => ({ mask }), masked, [2, 1]],
      ['a mask of a tensor', () => ({ mask: tensorOf(mask, 'f32') }), masked, [2, 1]],
      ['lengths and states', () => ({ lengths, states: { n: [10, 20] } }), cut, [13, 21]],
      ['a mask and states', () => ({ mask, states: { n: [10, 20] } }), masked, [12, 21]],
    ])('%s', async (_, options, expected, counts) => {
      const { output, states } = net.runWithStates(x, options());
      expect(output.shape).toEqual([...(timeAxis === 0 ? [3, 2] : [2, 3]), 1]);
      expect([...(await output.read())]).toEqual(expected);
      expect([...(await states['n'].read())]).toEqual(counts);
      expect([...(await net.run(x, options()).read())]).toEqual(expected);
    });

    test('other lengths and masks of the same shape use the same plan', async () => {
      const read = async (options: RunOptions): Promise<number[]> => [...(await net.run(x, options).read())];
      expect(await read({ lengths: [1, 3] })).toEqual(
        turned([
          [1, 2],
          [0, 4],
          [0, 6],
        ]).flat(),
      );
      expect(await read({ mask: mask.map((row) => row.map(() => 0)) })).toEqual([0, 0, 0, 0, 0, 0]);
      expect(tools.plan(net, x, { lengths: [1, 3] })).toBe(tools.plan(net, x, { lengths: [2, 2] }));
      expect(tools.plan(net, x, { lengths })).not.toBe(tools.plan(net, x, { mask }));
      expect(tools.plan(net, x)).not.toBe(tools.plan(net, x, { lengths }));
      expect(tools.explain(net, x, { lengths })).toMatch(/sequence_mask/);
      expect(tools.explain(net, x)).not.toMatch(/sequence_mask/);
    });

    test('a Sequential passes them to its layers', async () => {
      const { output, states } = inside.runWithStates(x, { lengths });
      const all = await inside.run(x).read();
      expect([...(await output.read())]).toEqual(Array.from(all, (value, i) => (cut[i] === 0 ? 0 : value)));
      expect([...(await states['1.n'].read())]).toEqual([3, 1]);
    });

    const shape =
      timeAxis === 0 ? String.raw`\(T, B\) of shape \[3, 2\]` : String.raw`\(B, T\) of shape \[2, 3\]`;
    test.each<[what: string, options: () => RunOptions, code: ErrorCode, message: RegExp]>([
      ['both', () => ({ lengths, mask }), 'argument', /run: lengths and mask were both given; give one/],
      [
        'too few lengths',
        () => ({ lengths: [3] }),
        'shape',
        /run: expected lengths of shape \[2\].*got \[1\]/,
      ],
      ['a length of 0', () => ({ lengths: [3, 0] }), 'argument', /run: length 1 .*1 to 3.*got 0/],
      ['a length too long', () => ({ lengths: [4, 1] }), 'argument', /run: length 0 .*1 to 3.*got 4/],
      ['half a step', () => ({ lengths: [3, 1.5] }), 'argument', /run: length 1 .*whole.*got 1\.5/],
      [
        'a tensor of lengths too long',
        () => ({ lengths: tensorOf([4, 1], 'i32') }),
        'argument',
        /run: expected lengths of 1 to 3.*1 to 4/,
      ],
      [
        'a tensor of fractions',
        () => ({ lengths: tensorOf([3, 1], 'f32') }),
        'dtype',
        /run: lengths: expected i32, got a tensor of f32/,
      ],
      [
        'a mask of another shape',
        () => ({ mask: swapAxes(mask) }),
        'shape',
        new RegExp(`run: expected a mask ${shape}`),
      ],
      [
        'a mask of weights',
        () => ({ mask: mask.map((row) => row.map(() => 0.5)) }),
        'argument',
        /run: element 0 of the mask must be 1 .* or 0, got 0\.5/,
      ],
      [
        'a misspelt option',
        () => ({ length: lengths }) as object,
        'unsupported',
        /run: option "length" is unknown; expected states, lengths, mask/,
      ],
    ])('%s: refused', (_, options, code, message) => {
      for (const call of [
        () => net.run(x, options()),
        () => net.runWithStates(x, options()),
        () => tools.plan(net, x, options()),
        () => tools.explain(net, x, options()),
      ])
        expect(call).toThrow(failure(code, message));
    });

    test('an input without both axes is refused', () => {
      const axes = timeAxis === 0 ? 'T, B' : 'B, T';
      expect(() => net.run([1, 2], { lengths: [1] })).toThrow(
        failure('shape', new RegExp(`run: with lengths expected input \\(${axes}, …\\), got \\[2\\]`)),
      );
      expect(() => net.run([1, 2], { mask: [1] })).toThrow(
        failure('shape', new RegExp(`run: with a mask expected input \\(${axes}, …\\), got \\[2\\]`)),
      );
    });
  });

  test('a model without an axis of time takes neither', async () => {
    const net = await runtime.load(
      new Sequential([
        new Linear({ inputSize: 1, outputSize: 2 }),
        new Linear({ inputSize: 2, outputSize: 1 }),
      ]),
    );
    expect(() => net.run([[[1]]], { lengths: [1] })).toThrow(
      failure(
        'unsupported',
        /run: lengths given, but Sequential has no layer that knows of time; leave them out/,
      ),
    );
    expect(() => net.run([[[1]]], { mask: [[1]] })).toThrow(
      failure('unsupported', /run: a mask given, but Sequential has no layer that knows of time/),
    );
  });
});
