// How a recurrent layer's time loop runs on a device: one dispatch per step and phase.
import { GatewiseError } from '../core/errors.ts';
import { bindDense, chooseTile, dispatch, type Dispatch, type Region, type Target } from '../graph/launch.ts';
import type { Placed } from '../graph/value.ts';
import { recurrent_step } from '../../shaders/gen/recurrent_step.ts';
import { copyDispatch } from './elementwise.ts';
import { phaseWGSL } from './phase_wgsl.ts';
import { RecurrentLayout, rolesOf, type RecurrentAttrs } from './recurrent_layout.ts';
import { packingOf } from './recurrent_pack.ts';

const WORKGROUP = 16;
/** WebGPU's default limit for each axis of a launch. */
const MAX_WORKGROUPS = 65535;

interface Tile {
  readonly rows: number;
  readonly units: number;
}

/** What one invocation owns, largest first: each weight that it loads serves all its rows, each state all its units. */
const TILES_OF_MANY_PRODUCTS: readonly Tile[] = [
  { rows: 16, units: 4 },
  { rows: 8, units: 4 },
  { rows: 16, units: 2 },
  { rows: 8, units: 2 },
  { rows: 8, units: 1 },
  { rows: 4, units: 1 },
  { rows: 2, units: 1 },
  { rows: 1, units: 1 },
];
const TILES_OF_ONE_PRODUCT: readonly Tile[] = [
  { rows: 16, units: 8 },
  { rows: 8, units: 8 },
  { rows: 16, units: 4 },
  { rows: 8, units: 4 },
  { rows: 8, units: 2 },
  { rows: 4, units: 1 },
  { rows: 2, units: 1 },
  { rows: 1, units: 1 },
];

/** One dispatch per phase, launched in turn, for each row of uniforms. */
function loopDispatches(
  attrs: RecurrentAttrs,
  placed: Placed<RecurrentAttrs>,
  backward: boolean,
  target: Target,
): Dispatch[] {
  const layout = new RecurrentLayout(attrs);
  const roles = rolesOf(attrs, placed.inputs, backward);
  const [stash, second] = placed.outputs;
  const [, steps, batch] = stash.view.shape;
  const phases = backward ? layout.program.backward : layout.program.forward;
  const packing = packingOf(layout, backward);
  const optional = { vectors: roles.vectors, rows: roles.rows, seed: roles.seed, d_output: roles.dOutput };
  const given = Object.fromEntries(
    Object.entries(optional).flatMap(([name, region]) =>
      region === undefined ? [] : [[name, bindDense(region)]],
    ),
  );
  const loop = {};
  return phases.map((phase, p) => {
    const { readings, starts } = packing.phases[p];
    const width = layout.width(phase.width);
    const tiles = phase.products.length > 1 ? TILES_OF_MANY_PRODUCTS : TILES_OF_ONE_PRODUCT;
    // A tile of more rows than there are would compute the last one again.
    const { rows, units } = chooseTile(
      tiles.filter((tile) => tile.rows < 2 * batch),
      target,
      (tile) => layout.directions * Math.ceil(batch / tile.rows) * Math.ceil(width / tile.units),
    );
    if (Math.ceil(batch / rows) > MAX_WORKGROUPS)
      throw new GatewiseError(
        'unsupported',
        `recurrent (${attrs.cell.name}): a batch of ${batch} rows is more than a device takes at once; split it`,
      );
    const uniforms = Array.from({ length: steps }, (_, i) => ({
      next: backward ? steps - i : i + 1,
      steps,
      batch,
    }));
    return dispatch(recurrent_step, {
      bindings: {
        stash: bindDense(stash),
        states: bindDense(backward ? roles.states : second),
        ...(readings.length > 0 && roles.packed !== undefined ? { weight: bindDense(roles.packed) } : {}),
        ...(backward ? { carry: bindDense(second) } : {}),
        ...given,
      },
      readOnly: backward ? ['states'] : [],
      constants: { WORKGROUP },
      counts: { GROUPS: readings.length, TAKES: readings[0]?.takes.length ?? 0, ROWS: rows, UNITS: units },
      splices: {
        phase: phaseWGSL({
          attrs,
          layout,
          phase,
          readings,
          packed: { perDirection: packing.perDirection, starts },
          hasOutputGradient: roles.dOutput !== undefined,
        }),
      },
      uniforms: phase.finish.length > 0 ? [...uniforms, { next: 0, steps, batch }] : uniforms,
      workgroups: [Math.ceil(width / (units * WORKGROUP)), Math.ceil(batch / rows), layout.directions],
      loop,
    });
  });
}

/** The initial states (D, B, W) of each state, written to the time at which each direction starts. */
function startDispatches(
  attrs: RecurrentAttrs,
  initial: Region,
  states: Region,
  steps: number,
  batch: number,
): Dispatch[] {
  const layout = new RecurrentLayout(attrs);
  const { directions, stateOffset, stateUnits } = layout;
  const isEven = new Set(layout.program.stateWidths).size === 1;
  // States of one width are one copy.
  const groups = isEven ? [0] : stateOffset.map((_, s) => s);
  return groups.flatMap((s) => {
    const width = layout.stateWidth(s);
    const count = isEven ? stateUnits / width : 1;
    const shape = [count, directions, batch, width];
    const from = directions * batch * width;
    const all = (steps + 1) * batch * width;
    return copyDispatch(
      {
        ...initial,
        view: {
          shape,
          strides: [from, batch * width, width, 1],
          offset: initial.view.offset + stateOffset[s] * directions * batch,
        },
      },
      {
        ...states,
        view: {
          shape,
          strides: [directions * all, all + steps * batch * width, width, 1],
          offset: states.view.offset + stateOffset[s] * directions * (steps + 1) * batch,
        },
      },
    );
  });
}

export function recurrentGPU(placed: Placed<RecurrentAttrs>, target: Target): Dispatch[] {
  const { attrs, inputs, outputs } = placed;
  const [stash, states] = outputs;
  const [, steps, batch] = stash.view.shape;
  const { initial } = rolesOf(attrs, inputs, false);
  return [
    ...startDispatches(attrs, initial, states, steps, batch),
    ...loopDispatches(attrs, placed, false, target),
  ];
}

export function recurrentBackwardGPU(placed: Placed<RecurrentAttrs>, target: Target): Dispatch[] {
  return loopDispatches(placed.attrs, placed, true, target);
}
