// How a recurrent layer's time loop runs on a device: the weights packed once, then one dispatch per step.
import type { Cell } from '../cells/cell.ts';
import { bindDense, bindWhole, dispatch, sliceRegion, type Dispatch, type Region } from '../graph/launch.ts';
import type { Placed } from '../graph/value.ts';
import { pack_weight } from '../../shaders/gen/pack_weight.ts';
import { recurrent_step } from '../../shaders/gen/recurrent_step.ts';
import { recurrent_step_backward } from '../../shaders/gen/recurrent_step_backward.ts';
import { cellWGSL } from './cell_wgsl.ts';
import { copyPlacement, elementwiseOp } from './elementwise.ts';
import { gridFor } from './wgsl_expression.ts';

export interface RecurrentAttrs {
  readonly cell: Cell;
}

const WORKGROUP = 32;

/** Batch rows per invocation: each weight that is loaded serves that many rows. */
function rowsPerInvocation(batch: number): number {
  return batch >= 8 ? 8 : batch >= 4 ? 4 : batch >= 2 ? 2 : 1;
}

/** Elements of a packed W_hh: quads of 4 k are whole, so an odd hidden size is padded. */
export function packedSize(gates: number, hidden: number): number {
  return gates * Math.ceil(hidden / 4) * 4 * hidden;
}

/** W_hh (GATES·H, H) as vec4s over k; `transposed` for the backward product, which sums over the gates' rows. */
function pack(weight: Region, packed: Region, gates: number, transposed: boolean): Dispatch {
  const hidden = weight.view.shape[1];
  const quads = Math.ceil(hidden / 4);
  const matrix = hidden * hidden;
  return dispatch(pack_weight, {
    bindings: { weight: bindDense(weight), packed: bindDense(packed) },
    uniforms: {
      blocks: gates,
      depth: hidden,
      units: hidden,
      strides: transposed ? [matrix, hidden, 1] : [matrix, 1, hidden],
      packed: transposed ? [quads * hidden, hidden, 1] : [hidden, gates * hidden, 1],
    },
    workgroups: gridFor(gates * quads * hidden, 64),
  });
}

export function recurrentGPU({ attrs, inputs, outputs, scratch }: Placed<RecurrentAttrs>): Dispatch[] {
  const { cell } = attrs;
  const [, weight, initial, bias] = inputs;
  const [stash, states] = outputs;
  const [steps, batch, slots, hidden] = stash.view.shape;
  const first = sliceRegion(states, [0, 0, 0, 0], [cell.states.length, 1, batch, hidden]);
  const start: Region = {
    ...initial,
    view: { ...initial.view, shape: first.view.shape, strides: [batch * hidden, 0, hidden, 1] },
  };
  const rows = rowsPerInvocation(batch);
  return [
    pack(weight, scratch[0], cell.gates.length, false),
    ...(elementwiseOp.gpu?.({ op: elementwiseOp, ...copyPlacement(start, first), scratch: [] }) ?? []),
    dispatch(recurrent_step, {
      bindings: {
        stash: bindDense(stash),
        states: bindDense(states),
        weight: bindDense(scratch[0]),
        ...(bias === undefined ? {} : { bias: bindDense(bias) }),
      },
      constants: { HIDDEN: hidden, WORKGROUP },
      splices: {
        cell: cellWGSL(cell),
        ...(bias === undefined ? { bias: 'fn bias_at(i: u32) -> f32 {\n  return 0.0;\n}' } : {}),
      },
      counts: { GATES: cell.gates.length, SLOTS: slots, STATES: cell.states.length, ROWS: rows },
      uniforms: Array.from({ length: steps }, (_, step) => ({ step, steps, batch })),
      workgroups: [Math.ceil(hidden / WORKGROUP), Math.ceil(batch / rows), 1],
    }),
  ];
}

export function recurrentBackwardGPU({
  attrs,
  inputs,
  outputs,
  scratch,
}: Placed<RecurrentAttrs>): Dispatch[] {
  const { cell } = attrs;
  const [, states, weight, , dOutput] = inputs;
  const [stash, carry] = outputs;
  const [steps, batch, slots, hidden] = stash.view.shape;
  const rows = rowsPerInvocation(batch);
  return [
    pack(weight, scratch[0], cell.gates.length, true),
    dispatch(recurrent_step_backward, {
      bindings: {
        stash: bindDense(stash),
        states: bindWhole(states),
        weight: bindDense(scratch[0]),
        carry: bindDense(carry),
        ...(dOutput === undefined ? {} : { d_output: bindDense(dOutput) }),
      },
      constants: { HIDDEN: hidden, WORKGROUP },
      splices: {
        cell: cellWGSL(cell),
        ...(dOutput === undefined ? { d_output: 'fn d_output_at(i: u32) -> f32 {\n  return 0.0;\n}' } : {}),
      },
      counts: { GATES: cell.gates.length, SLOTS: slots, STATES: cell.states.length, ROWS: rows },
      // From the last step to the first, then the initial state.
      uniforms: Array.from({ length: steps + 1 }, (_, i) => ({ next: steps - i, steps, batch })),
      workgroups: [Math.ceil(hidden / WORKGROUP), Math.ceil(batch / rows), 1],
    }),
  ];
}
