// How a recurrent layer's time loop runs on a device: the weights packed once, then one dispatch per step.
import type { Cell } from '../cells/cell.ts';
import {
  bindDense,
  chooseTile,
  dispatch,
  sliceRegion,
  type Dispatch,
  type Region,
  type Target,
} from '../graph/launch.ts';
import type { Placed } from '../graph/value.ts';
import { pack_weight } from '../../shaders/gen/pack_weight.ts';
import { recurrent_step } from '../../shaders/gen/recurrent_step.ts';
import { recurrent_step_backward } from '../../shaders/gen/recurrent_step_backward.ts';
import { cellWGSL } from './cell_wgsl.ts';
import { copyDispatch } from './elementwise.ts';
import { gridFor } from './wgsl_expression.ts';

export interface RecurrentAttrs {
  readonly cell: Cell;
}

const WORKGROUP = 16;

/** What one invocation owns, largest first: each weight that it loads serves all its rows, each state all its units. */
const FORWARD_TILES = [
  { rows: 16, units: 4 },
  { rows: 8, units: 4 },
  { rows: 16, units: 2 },
  { rows: 8, units: 2 },
  { rows: 8, units: 1 },
  { rows: 4, units: 1 },
  { rows: 2, units: 1 },
  { rows: 1, units: 1 },
] as const;
const BACKWARD_TILES = [
  { rows: 16, units: 8 },
  { rows: 8, units: 8 },
  { rows: 16, units: 4 },
  { rows: 8, units: 4 },
  { rows: 8, units: 2 },
  { rows: 4, units: 1 },
  { rows: 2, units: 1 },
  { rows: 1, units: 1 },
] as const;

interface Tile {
  readonly rows: number;
  readonly units: number;
}

/** What both directions of a cell's step share: constants, counts, and workgroups that cover all rows and units. */
function launchOf(cell: Cell, tiles: readonly Tile[], target: Target, batch: number, hidden: number) {
  // A tile of more rows than there are would compute the last one again.
  const fitting = tiles.filter(({ rows }) => rows < 2 * batch);
  const { rows, units } = chooseTile(
    fitting,
    target,
    (tile) => Math.ceil(batch / tile.rows) * Math.ceil(hidden / tile.units),
  );
  const workgroups: [number, number, number] = [
    Math.ceil(hidden / (units * WORKGROUP)),
    Math.ceil(batch / rows),
    1,
  ];
  return {
    constants: { HIDDEN: hidden, WORKGROUP },
    counts: {
      GATES: cell.gates.length,
      SLOTS: cell.slots,
      STATES: cell.states.length,
      ROWS: rows,
      UNITS: units,
    },
    workgroups,
  };
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

export function recurrentGPU(
  { attrs, inputs, outputs, scratch }: Placed<RecurrentAttrs>,
  target: Target,
): Dispatch[] {
  const { cell } = attrs;
  const [, weight, initial, bias] = inputs;
  const [stash, states] = outputs;
  const [steps, batch, , hidden] = stash.view.shape;
  const first = sliceRegion(states, [0, 0, 0, 0], [cell.states.length, 1, batch, hidden]);
  const start: Region = {
    ...initial,
    view: { ...initial.view, shape: first.view.shape, strides: [batch * hidden, 0, hidden, 1] },
  };
  return [
    pack(weight, scratch[0], cell.gates.length, false),
    ...copyDispatch(start, first),
    dispatch(recurrent_step, {
      bindings: {
        stash: bindDense(stash),
        states: bindDense(states),
        weight: bindDense(scratch[0]),
        ...(bias === undefined ? {} : { bias: bindDense(bias) }),
      },
      ...launchOf(cell, FORWARD_TILES, target, batch, hidden),
      splices: {
        cell: cellWGSL(cell),
        ...(bias === undefined ? { bias: 'fn bias_at(i: u32) -> f32 {\n  return 0.0;\n}' } : {}),
      },
      uniforms: Array.from({ length: steps }, (_, step) => ({ step, steps, batch })),
    }),
  ];
}

export function recurrentBackwardGPU(
  { attrs, inputs, outputs, scratch }: Placed<RecurrentAttrs>,
  target: Target,
): Dispatch[] {
  const { cell } = attrs;
  const [, states, weight, , dOutput] = inputs;
  const [stash, carry] = outputs;
  const [steps, batch, , hidden] = stash.view.shape;
  return [
    pack(weight, scratch[0], cell.gates.length, true),
    dispatch(recurrent_step_backward, {
      bindings: {
        stash: bindDense(stash),
        states: bindDense(states),
        weight: bindDense(scratch[0]),
        carry: bindDense(carry),
        ...(dOutput === undefined ? {} : { d_output: bindDense(dOutput) }),
      },
      ...launchOf(cell, BACKWARD_TILES, target, batch, hidden),
      splices: {
        cell: cellWGSL(cell),
        ...(dOutput === undefined ? { d_output: 'fn d_output_at(i: u32) -> f32 {\n  return 0.0;\n}' } : {}),
      },
      // From the last step to the first, then the initial state.
      uniforms: Array.from({ length: steps + 1 }, (_, i) => ({ next: steps - i, steps, batch })),
    }),
  ];
}
