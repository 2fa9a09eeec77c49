import type { Cell } from '../../../src/cells/cell.ts';
import { elmanTanh } from '../../../src/cells/elman.ts';
import { gru } from '../../../src/cells/gru.ts';
import { add, mul, sigmoid, square } from '../../../src/expr/arith.ts';
import { applyNamed } from '../../../src/graph/operands.ts';
import type { Value } from '../../../src/graph/value.ts';
import { recurrentBackwardOp } from '../../../src/ops/recurrent.ts';
import { loopOperands, type RecurrentOperands } from '../../../src/ops/recurrent_schedule.ts';
import type { SequenceResult } from '../../../src/ops/recurrent_sequence.ts';
import { slice, sum } from '../../../src/ops/structure.ts';
import { grad } from '../../../src/train/grad.ts';
import { loopOf } from '../../recurrent_packing.ts';
import { runFused, type RunSize } from '../../recurrent_run.ts';
import { f32, roundingSample, sample, type Sample } from '../sample.ts';
import {
  layerMaskInputs,
  layerMasks,
  persistentSizes,
  recurrentInputs,
  recurrentSizes,
  roundedName,
  roundedSize,
  sampledCells,
  sizeName,
  wavefrontSizes,
  withMask,
} from './shared/recurrent.ts';

const weighted = (x: Value): Value => sum(mul(x, sigmoid(x)));
const sumOf = (values: readonly Value[]): Value => values.reduce((a, b) => add(a, b));

/** The backward op of a loop of one pseudo-layer by itself. */
function backwardAlone(cell: Cell, given: Partial<RecurrentOperands<Value>>): readonly Value[] {
  const size: RunSize = { cell, hidden: 5, bias: false, pseudoLayers: 1, masked: false, steps: 2, batch: 3 };
  const operands = loopOperands(given);
  const attrs = { ...loopOf(size), stream: 0 };
  return applyNamed(recurrentBackwardOp, attrs, operands);
}

export const samples: readonly Sample[] = [
  ...[...recurrentSizes, ...wavefrontSizes].map((size) =>
    sample(sizeName(size), recurrentInputs(size), (...inputs) =>
      grad((values: Value[]) => {
        const { output, finals } = runFused(size, withMask(size, values));
        return add(weighted(output), sumOf(finals.map((final) => sum(square(final)))));
      })(inputs),
    ),
  ),
  ...sampledCells.flatMap((cell, c) => {
    const losses: Record<string, (run: Pick<SequenceResult, 'output' | 'finals'>) => Value> = {
      'of the output alone': ({ output }) => weighted(output),
      'of the final states alone': ({ finals }) => sumOf(finals.map(weighted)),
      'of plain sums': ({ output, finals }) => add(sum(output), sumOf(finals.map((final) => sum(final)))),
    };
    return Object.entries(losses).map(([what, loss], n) => {
      const size: RunSize = {
        cell,
        steps: 1 + 3 * ((c + n) % 2),
        batch: 3,
        hidden: 5,
        bias: true,
        pseudoLayers: (c + n) % 3 === 0 ? 2 : 1,
        masked: false,
      };
      return sample(`${sizeName(size)}, ${what}`, recurrentInputs(size), (...inputs) =>
        grad((values: Value[]) => loss(runFused(size, values)))(inputs),
      );
    });
  }),
  sample('layers of which each is masked at other steps', layerMaskInputs, (...inputs) =>
    grad(([x, bias, ...more]: Value[]) => sumOf(layerMasks(x, bias, ...more).map(weighted)))(inputs),
  ),
  sample(
    'on its own',
    [f32([1, 2, 3, 5]), f32([3 * 3 * 5]), f32([15]), f32([5, 5]), f32([2, 3, 1, 5])],
    (reserve, states, carry, w, d) =>
      backwardAlone(elmanTanh, {
        reserve: [reserve],
        states: [states],
        carry: [carry],
        weights: [w],
        dOutput: [d],
      }),
  ),
  sample(
    'of states that begin inside a tensor',
    [f32([1, 2, 3, 20]), f32([64 + 45]), f32([15]), f32([15, 5])],
    (reserve, x, carry, w) =>
      backwardAlone(gru, { reserve: [reserve], states: [slice(x, 0, 64)], carry: [carry], weights: [w] }),
  ),
];

const backward = (size: RunSize): Sample =>
  roundingSample(roundedName(size), recurrentInputs(size), (...inputs) =>
    grad((values: Value[]) => {
      const { output, finals } = runFused(size, withMask(size, values));
      return finals.reduce((total, final) => add(total, sum(square(final))), sum(square(output)));
    })(inputs),
  );

/** All cells with f16 weights. */
export const deviceSamples: readonly Sample[] = sampledCells.map((cell, c) =>
  backward(roundedSize(cell, c, 'f16')),
);

// int8 has no gradient.
export const persistentSamples: readonly Sample[] = persistentSizes
  .filter(({ precision }) => precision !== 'int8')
  .map(backward);
