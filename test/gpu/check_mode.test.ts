// Check mode compares every step with its CPU reference.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { valueAndGrad } from '../../src/train/index.ts';
import { createRuntime, GatewiseError, type Runtime } from '../../src/index.ts';
import { add, mul, square, tanh } from '../../src/expr/arith.ts';
import { apply, type Op, type Value } from '../../src/graph/value.ts';
import { referenceTarget } from '../../src/backend/cpu/kernels/index.ts';
import type { CPUKernel } from '../../src/backend/cpu/kernels/kernel.ts';
import { webgpuTarget } from '../../src/backend/webgpu/kernels/index.ts';
import { gather, gatherOp } from '../../src/ops/gather.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { softmaxCrossEntropy } from '../../src/ops/softmax_cross_entropy.ts';
import { mean, reshape, sum } from '../../src/ops/structure.ts';
import { allCells } from '../all_cells.ts';
import { f32, i32, type Sample } from './sample.ts';

import { projectionOf, runFused, runInputs, type RunSize } from '../recurrent_run.ts';
import { runtimeWith } from '../runtime_with.ts';
import { run } from './conformance.ts';
import { worst } from './tolerance.ts';

describe('check mode', () => {
  let checked: Runtime;
  let cpu: Runtime;
  beforeEach(async () => {
    checked = await createRuntime({ backend: 'webgpu', check: true });
    cpu = await createRuntime({ backend: 'cpu' });
  });
  afterEach(() => {
    checked.dispose();
    cpu.dispose();
  });

  test.each(allCells.map((cell) => [cell.name, cell] as const))(
    'a training graph of %s passes',
    async (_, cell) => {
      const size: RunSize = {
        cell,
        steps: 4,
        batch: 3,
        hidden: 6,
        bias: true,
        pseudoLayers: 1,
        masked: false,
      };
      const [products, ...rest] = runInputs(size);
      const output = cell.projects ? projectionOf(size) : size.hidden;
      const whole: Sample = {
        name: `whole ${cell.name}`,
        inputs: [
          f32([7, 5]),
          f32([5, products.shape[2]]),
          f32([output, 7]),
          // sLSTM divides by its normaliser n.
          ...rest.map(({ name, shape }) =>
            name === 'initial n' ? f32(shape, 0.5, 1.5) : f32(shape, -0.4, 0.4),
          ),
          i32([4, 3], 7),
          i32([4, 3], 7),
        ],
        build: (...values) => {
          const [x, y] = values.slice(-2);
          const [loss, gradients] = valueAndGrad(([table, wx, wy, ...own]: Value[]) => {
            const { output: h } = runFused(size, [matmul(gather(table, x), wx), ...own]);
            return mean(softmaxCrossEntropy(matmul(reshape(h, [4, 3, output]), wy), y));
          })(values.slice(0, -2));
          return [loss, ...gradients];
        },
      };
      const [expected] = await run(cpu, whole, 1);
      const [got] = await run(checked, whole, 1);
      expected.forEach((numbers, i) =>
        expect(worst(got[i], numbers, { absolute: 2e-5, relative: 1e-4 })).toBeLessThanOrEqual(1),
      );
    },
  );

  /** A runtime that checks against a gather whose reference is off by `by` at element 3. */
  const offAt3 = async (by: number, op: Op = gatherOp as Op): Promise<Runtime> => {
    const { run: reference } = referenceTarget.kernel(gatherOp as Op);
    const wrong: CPUKernel = {
      op,
      run: (attrs, inputs, outputs) => {
        reference(attrs, inputs, outputs);
        outputs[0].data[outputs[0].view.offset + 3] += by;
      },
    };
    return runtimeWith([{ ...webgpuTarget.kernel(gatherOp as Op), op }], { reference: [wrong] });
  };

  test.each([
    ['a number', 0.01],
    ['a NaN', NaN],
  ])('a reference that differs by %s is found', async (_, by) => {
    using runtime = await offAt3(by);
    const compiled = runtime.compile((x: Value, index: Value) => square(gather(tanh(x), index)));
    const result = compiled(
      [
        [1, 2],
        [3, 4],
      ],
      Int32Array.of(1, 0, 1),
    ).read();
    await expect(result).rejects.toThrow(GatewiseError);
    await expect(result).rejects.toMatchObject({
      code: 'mismatch',
      message: expect.stringMatching(
        /step 1 \(gather: .*\), element 3 of \[3, 2\]: the device gave 0\.96\d*, the CPU/,
      ) as string,
    });
  });

  test('a difference within the tolerance passes', async () => {
    const near: Op = { ...(gatherOp as Op), name: 'near', tolerance: { absolute: 1e-3, relative: 0 } };
    using runtime = await offAt3(1e-4, near);
    const compiled = runtime.compile((x: Value, index: Value) =>
      sum(add(apply(near, {}, [x, index]), mul(x, 0))),
    );
    await expect(
      compiled(
        [
          [1, 2],
          [3, 4],
        ],
        Int32Array.of(1, 0),
      ).read(),
    ).resolves.toEqual(Float32Array.of(10));
  });
});
