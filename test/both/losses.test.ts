// The losses on both backends: values and gradients against PyTorch, masks and ignored labels, and large logits.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  bceWithLogits,
  crossEntropy,
  crossEntropyWith,
  mse,
  valueAndGrad,
  type Loss,
} from '../../src/train/index.ts';
import { createRuntime, type HostData, type Runtime, type Value } from '../../src/index.ts';
import { toHostTensor } from '../../src/runtime/host.ts';
import lossCases from '../fixtures/losses.json' with { type: 'json' };
import { backend } from '../setup/backend.ts';

interface LossCase {
  readonly name: string;
  readonly loss: string;
  readonly options: { readonly ignore_index?: number; readonly label_smoothing?: number };
  readonly output: HostData;
  readonly target: HostData;
  readonly mask: HostData | null;
  readonly value: number;
  readonly grad: readonly number[];
}

function lossOf({ loss, options }: LossCase): Loss {
  const { ignore_index: ignoreIndex, label_smoothing: labelSmoothing } = options;
  if (loss === 'mse') return mse;
  if (loss === 'bce_with_logits') return bceWithLogits;
  if (Object.keys(options).length === 0) return crossEntropy;
  return crossEntropyWith({
    ...(ignoreIndex !== undefined && { ignoreIndex }),
    ...(labelSmoothing !== undefined && { labelSmoothing }),
  });
}

describe(`on ${backend}`, () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ backend });
  });
  afterAll(() => runtime.dispose());

  async function evaluate(
    loss: Loss,
    output: HostData,
    target: HostData,
    mask?: HostData,
  ): Promise<{ value: number; grad: number[] }> {
    const labels = toHostTensor('target', target, undefined, loss.targetDType);
    const args = [runtime.tensor(output), runtime.tensor(labels.data, { shape: labels.shape })] as const;
    const without = runtime.compile(valueAndGrad((x: Value, y: Value) => loss.apply(x, y)));
    const within = runtime.compile(
      valueAndGrad((x: Value, y: Value, counted: Value) => loss.apply(x, y, counted)),
    );
    const [value, grad] = mask === undefined ? without(...args) : within(...args, runtime.tensor(mask));
    const result = { value: await value.item(), grad: Array.from(await grad.read()) };
    without.dispose();
    within.dispose();
    return result;
  }

  test.each((lossCases as readonly LossCase[]).map((each) => [each.name, each] as const))(
    '%s against PyTorch',
    async (_, each) => {
      const { value, grad } = await evaluate(lossOf(each), each.output, each.target, each.mask ?? undefined);
      expect(Math.abs(value - each.value)).toBeLessThanOrEqual(2e-6 * Math.max(1, Math.abs(each.value)));
      expect(grad.length).toBe(each.grad.length);
      const errors = each.grad.map((expected, i) => Math.abs(grad[i] - expected));
      // Not the largest alone: that would not see a NaN.
      expect(errors.filter((error) => !(error <= 1e-6))).toEqual([]);
    },
  );

  const NAN_ROW = [NaN, NaN];
  const outputs = [[1, -2], NAN_ROW, [0.5, 3]];
  test.each([
    ['mse', mse, [[0, 0], NAN_ROW, [1, 1]]],
    ['bceWithLogits', bceWithLogits, [[0, 1], NAN_ROW, [1, 1]]],
  ] as const)('%s ignores NaN at masked elements', async (_, loss, targets) => {
    const all = await evaluate(loss, [outputs[0], outputs[2]], [
      targets[0],
      targets[2],
    ] as unknown as number[][]);
    const masked = await evaluate(loss, outputs, targets as unknown as number[][], [1, 0, 1]);
    expect(masked.value).toBeCloseTo(all.value, 6);
    expect(masked.grad).toEqual([
      ...all.grad.slice(0, 2).map((g) => expect.closeTo(g, 6) as number),
      0,
      0,
      ...all.grad.slice(2).map((g) => expect.closeTo(g, 6) as number),
    ]);
  });

  test.each([
    ['mse', mse, [[1, 2]]],
    ['bceWithLogits', bceWithLogits, [[0, 1]]],
    ['crossEntropy', crossEntropy, [1]],
  ] as const)('%s of a batch that is fully masked is 0, and so is its gradient', async (_, loss, target) => {
    const nothing = await evaluate(loss, [[3, 4]], target as unknown as HostData, [0]);
    // -0 counts as 0.
    expect([nothing.value, ...nothing.grad].map(Math.abs)).toEqual([0, 0, 0]);
  });

  test('crossEntropy of ignored labels only is 0, and so is its gradient', async () => {
    expect(await evaluate(crossEntropy, [[3, 4]], [-100])).toEqual({ value: 0, grad: [0, 0] });
  });

  test('of the labels out of range only ignoreIndex passes the index check', () => {
    const loss = runtime.compile((x: Value, y: Value) => crossEntropy.apply(x, y));
    const logits = [
      [1, 2],
      [3, 4],
    ];
    expect(() => loss(logits, Int32Array.of(1, -100))).not.toThrow();
    expect(() => loss(logits, runtime.tensor(Int32Array.of(-100, -100)))).not.toThrow();
    expect(() => loss(logits, runtime.tensor(Int32Array.of(-100, 0)))).not.toThrow();
    expect(() => loss(logits, Int32Array.of(1, -99))).toThrow(
      'element 1 of arg1 is the index -99; expected 0 to 1 or -100',
    );
    expect(() => loss(logits, Int32Array.of(2, 1))).toThrow('index 2; expected 0 to 1 or -100');
    const inTensor =
      (...labels: number[]) =>
      (): unknown =>
        loss(logits, runtime.tensor(Int32Array.from(labels)));
    expect(inTensor(-100, 2)).toThrow('indices from -100 to 2; expected 0 to 1 or -100');
    expect(inTensor(-100, -1)).toThrow('indices from -100 to -1; expected 0 to 1 or -100');
    expect(inTensor(-101, 0)).toThrow('indices from -101 to 0; expected 0 to 1 or -100');
  });

  test('an ignoreIndex past the classes passes', () => {
    const loss = runtime.compile((x: Value, y: Value) => crossEntropyWith({ ignoreIndex: 255 }).apply(x, y));
    const of =
      (...labels: number[]) =>
      (): unknown =>
        loss(
          [
            [1, 2],
            [3, 4],
            [5, 6],
          ],
          runtime.tensor(Int32Array.from(labels)),
        );
    expect(of(0, 255, 1)).not.toThrow();
    expect(of(0, 2, 255)).toThrow('indices from 0 to 255; expected 0 to 1 or 255');
    expect(of(0, -100, 255)).toThrow('indices from -100 to 255');
  });

  test('one argument may be labels with ignoreIndex in one use and indices in another', () => {
    const both = runtime.compile((x: Value, y: Value) => [
      crossEntropy.apply(x, y),
      crossEntropyWith({ ignoreIndex: 9 }).apply(x, y),
    ]);
    const logits = [[1, 2, 3]];
    expect(() => both(logits, Int32Array.of(2))).not.toThrow();
    expect(() => both(logits, Int32Array.of(-100))).toThrow('index -100; expected 0 to 2 or 9');
    expect(() => both(logits, Int32Array.of(9))).toThrow('index 9; expected 0 to 2 or -100');
  });

  test('bceWithLogits and its gradient are finite where exp overflows', async () => {
    const { value, grad } = await evaluate(bceWithLogits, [[1000, -1000, 1000, -1000]], [[0, 0, 1, 1]]);
    expect(value).toBeCloseTo(500, 3);
    expect(grad).toEqual([0.25, 0, 0, -0.25].map((g) => expect.closeTo(g, 6) as number));
  });

  test('a class of logit -Infinity contributes nothing to the loss', async () => {
    const { value, grad } = await evaluate(crossEntropy, [[0, -Infinity, 0]], [2]);
    expect(value).toBeCloseTo(Math.log(2), 6);
    expect(grad).toEqual([0.5, 0, -0.5].map((g) => expect.closeTo(g, 6) as number));
  });
});
