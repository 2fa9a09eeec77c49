// The recurrent layer's reference: plain loops over time, rows and units, float64 accumulation, for any cell.
import { cotangentInput, gateInput, stateInput } from '../cells/cell.ts';
import { evaluator } from '../expr/evaluate.ts';
import type { Operand } from '../graph/launch.ts';
import type { RecurrentAttrs } from './recurrent_kernel.ts';

export function recurrentCPU(
  { cell }: RecurrentAttrs,
  [, weight, initial, bias]: readonly Operand[],
  [stash, states]: readonly Operand[],
): void {
  const [steps, batch, slots, hidden] = stash.view.shape;
  const gates = cell.gates.length;
  const evaluate = evaluator(
    cell.program.states,
    [...cell.gates.map((_, i) => i), ...extraSlots(gates, slots)]
      .map(gateInput)
      .concat(cell.states.map((_, s) => stateInput(s))),
  );
  const values = new Float64Array(slots + cell.states.length);
  const next = new Float64Array(cell.states.length);
  const product = new Float64Array(gates * hidden);
  // states: (STATES, T + 1, B, H)
  const stateAt = (state: number, time: number, row: number): number =>
    states.view.offset + ((state * (steps + 1) + time) * batch + row) * hidden;
  for (let s = 0; s < cell.states.length; s++) {
    for (let i = 0; i < batch * hidden; i++)
      states.data[stateAt(s, 0, 0) + i] = initial.data[initial.view.offset + s * batch * hidden + i];
  }
  for (let step = 0; step < steps; step++) {
    for (let row = 0; row < batch; row++) {
      const h = stateAt(0, step, row);
      for (let i = 0; i < gates * hidden; i++) {
        let total = bias === undefined ? 0 : bias.data[bias.view.offset + i];
        const w = weight.view.offset + i * hidden;
        for (let k = 0; k < hidden; k++) total += weight.data[w + k] * states.data[h + k];
        product[i] = total;
      }
      const base = stash.view.offset + (step * batch + row) * slots * hidden;
      for (let unit = 0; unit < hidden; unit++) {
        values.fill(0);
        for (let g = 0; g < gates; g++) values[g] = stash.data[base + g * hidden + unit];
        for (let g = 0; g < gates; g++) values[cell.recurrentSlot[g]] += product[g * hidden + unit];
        for (let slot = 0; slot < slots; slot++) stash.data[base + slot * hidden + unit] = values[slot];
        for (let s = 0; s < next.length; s++) values[slots + s] = states.data[stateAt(s, step, row) + unit];
        evaluate(values, next);
        for (let s = 0; s < next.length; s++) states.data[stateAt(s, step + 1, row) + unit] = next[s];
      }
    }
  }
}

export function recurrentBackwardCPU(
  { cell }: RecurrentAttrs,
  [, states, weight, , dOutput]: readonly Operand[],
  [stash, carry]: readonly Operand[],
): void {
  const [steps, batch, slots, hidden] = stash.view.shape;
  const gates = cell.gates.length;
  const count = cell.states.length;
  const names = [...cell.gates.map((_, i) => i), ...extraSlots(gates, slots)].map(gateInput);
  const evaluate = evaluator(cell.program.gradients, [
    ...names,
    ...cell.states.map((_, s) => stateInput(s)),
    ...cell.states.map((_, s) => cotangentInput(s)),
  ]);
  const values = new Float64Array(slots + 2 * count);
  const gradient = new Float64Array(slots + count);
  const product = new Float64Array(hidden);
  for (let next = steps; next >= 0; next--) {
    for (let row = 0; row < batch; row++) {
      product.fill(0);
      if (next < steps) {
        const base = stash.view.offset + (next * batch + row) * slots * hidden;
        for (let g = 0; g < gates; g++) {
          for (let k = 0; k < hidden; k++) {
            const d = stash.data[base + cell.recurrentSlot[g] * hidden + k];
            const w = weight.view.offset + (g * hidden + k) * hidden;
            for (let unit = 0; unit < hidden; unit++) product[unit] += d * weight.data[w + unit];
          }
        }
      }
      const step = next - 1;
      const base = stash.view.offset + (step * batch + row) * slots * hidden;
      for (let unit = 0; unit < hidden; unit++) {
        const d = (s: number): number => carry.view.offset + (s * batch + row) * hidden + unit;
        if (next === 0) {
          carry.data[d(0)] += product[unit];
          continue;
        }
        for (let slot = 0; slot < slots; slot++) values[slot] = stash.data[base + slot * hidden + unit];
        for (let s = 0; s < count; s++) {
          values[slots + s] =
            states.data[states.view.offset + ((s * (steps + 1) + step) * batch + row) * hidden + unit];
          values[slots + count + s] = carry.data[d(s)];
        }
        values[slots + count] += product[unit];
        if (dOutput !== undefined)
          values[slots + count] += dOutput.data[dOutput.view.offset + (step * batch + row) * hidden + unit];
        evaluate(values, gradient);
        for (let slot = 0; slot < slots; slot++) stash.data[base + slot * hidden + unit] = gradient[slot];
        for (let s = 0; s < count; s++) carry.data[d(s)] = gradient[slots + s];
      }
    }
  }
}

/** The slots behind the gates' own: recurrent parts that are kept apart. */
function extraSlots(gates: number, slots: number): number[] {
  return Array.from({ length: slots - gates }, (_, i) => gates + i);
}
