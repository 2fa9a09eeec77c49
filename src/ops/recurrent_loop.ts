// How a recurrent layer's time loop runs on a device, in one of these variants:
//   step       one launch per step and phase; an invocation owns a tile of rows and units and all their products
//   lanes      the same launches, of which four invocations load together the vectors that they share
//   sliced     the same launches, but several invocations share each sum over k: for few rows, which fill no device
//   sequence   many steps in one launch; a workgroup owns some rows and all their units
//   sequence_shared, sequence_held   the same, with the weights in workgroup memory or in registers for the whole launch
import { GatewiseError } from '../core/errors.ts';
import { bindDense, dispatch, type Dispatch, type Region, type Target } from '../graph/launch.ts';
import { sizeClass, type Placed, type Variants } from '../graph/value.ts';
import type { Phase } from '../cells/phases.ts';
import { recurrent_lanes } from '../../shaders/gen/recurrent_lanes.ts';
import { recurrent_sequence } from '../../shaders/gen/recurrent_sequence.ts';
import { recurrent_step } from '../../shaders/gen/recurrent_step.ts';
import { copyDispatch } from './elementwise.ts';
import { PACKED_NAMES, phasesWGSL, type PhaseText } from './phase_wgsl.ts';
import {
  backwardRoles,
  flopOf,
  forwardRoles,
  RecurrentLayout,
  type RecurrentAttrs,
  type Roles,
} from './recurrent_layout.ts';
import { packingOf, shareOf, sliceOf, type Packing } from './recurrent_pack.ts';
import {
  heldShape,
  sequenceShape,
  sharedShape,
  slicedShape,
  stepsPerLaunch,
  stepTile,
  streamsWell,
  type GroupShape,
  type Keeping,
  type LoopSize,
} from './recurrent_shape.ts';
import { QUAD_WORDS } from './weight_precision.ts';

/** WebGPU's default limit for each axis of a launch. */
const MAX_WORKGROUPS = 65535;

/** A loop over time in one pass. */
interface Pass {
  readonly attrs: RecurrentAttrs;
  readonly layout: RecurrentLayout;
  readonly phases: readonly Phase[];
  readonly packing: Packing;
  readonly backward: boolean;
  readonly steps: number;
  readonly batch: number;
}

/** The same, as all its launches need it. */
interface Loop extends Pass {
  readonly hasOutputGradient: boolean;
  readonly readsInitial: boolean;
  /** By the names that the kernels give them, but for `packed`, which has one by its precision. */
  readonly regions: Readonly<Record<string, Region | undefined>>;
}

/** How each step begins, in the order of processing. */
const momentsOf = ({ layout, steps, batch, backward }: Loop, last: boolean) => {
  const count = steps + layout.delay;
  const moments = Array.from({ length: count }, (_, i) => (backward ? count - i : i + 1));
  return [...moments, ...(last ? [0] : [])].map((next) => ({ next, count: 1, stride: 1, steps, batch }));
};

/** What a launch of some phases binds and has spliced in. @param turns of each phase. */
function partsOf(
  loop: Loop,
  chosen: readonly number[],
  {
    turns = () => 1,
    together = false,
    slices = 1,
    keeping = 'streamed',
  }: { turns?: (phase: Phase) => number; together?: boolean; slices?: number; keeping?: Keeping },
) {
  const { attrs, layout, phases, packing, backward, hasOutputGradient, readsInitial, regions } = loop;
  const texts = chosen.map((p): PhaseText => {
    const { readings, starts } = packing.phases[p];
    return { phase: phases[p], readings, starts, turns: turns(phases[p]) };
  });
  const reads = texts.some(({ readings }) => readings.length > 0);
  const { packed, largest, ...others } = regions;
  const bound = Object.entries({
    ...others,
    ...(reads ? { [PACKED_NAMES[layout.precision]]: packed, largest } : {}),
  });
  const counts = texts.flatMap(({ readings }, i) => [
    [`GROUPS_${i}`, readings.length] as const,
    [`TAKES_${i}`, readings[0]?.takes.length ?? 0] as const,
    [`COPIES_${i}`, keeping === 'held' ? sliceOf(readings, slices) : 1] as const,
  ]);
  return {
    bindings: Object.fromEntries(
      bound.flatMap(([name, region]) => (region === undefined ? [] : [[name, bindDense(region)]])),
    ),
    readOnly: backward ? (['states'] as const) : (['carry'] as const),
    splices: {
      phases: phasesWGSL(
        {
          attrs,
          layout,
          packedPerChain: packing.perChain,
          hasOutputGradient,
          readsInitial,
          together,
          keeping,
        },
        texts,
      ),
    },
    counts: Object.fromEntries(counts) as Record<`${'GROUPS' | 'TAKES' | 'COPIES'}_${number}`, number>,
  };
}

function checkRows({ attrs, batch }: Loop, rows: number): void {
  if (Math.ceil(batch / rows) > MAX_WORKGROUPS)
    throw new GatewiseError(
      'unsupported',
      `recurrent (${attrs.cell.name}): a batch of ${batch} rows is more than a device takes at once; split it`,
    );
}

const termsOf = ({ products }: Phase): Phase['products'][number]['terms'] =>
  products.flatMap(({ terms }) => terms);

function sizeOf({ layout, phases, packing, batch }: Pass): LoopSize {
  const words = QUAD_WORDS[layout.precision];
  const most = (list: readonly number[]): number => Math.max(1, ...list);
  return {
    width: most(phases.map(({ width }) => layout.width(width))),
    products: most(phases.map(({ products }) => products.length)),
    depth: most(phases.flatMap((phase) => termsOf(phase).map(({ depth }) => layout.width(depth)))),
    batch,
    chains: layout.chains,
    bytes: 4 * words * packing.perChain,
    share: (slices) => words * shareOf(packing, slices),
  };
}

/** A launch per step and phase. @param lanes invocations of a workgroup. */
function tiledLaunches(loop: Loop, target: Target, lanes: number, together: boolean): Dispatch[] {
  const { layout, batch } = loop;
  const turn = {};
  return loop.phases.map((phase, p) => {
    const width = layout.width(phase.width);
    const { chains } = layout;
    const { rows, units } = stepTile(target, { products: phase.products.length, width, batch, chains });
    checkRows(loop, rows);
    const { counts, ...parts } = partsOf(loop, [p], { together });
    const launch = {
      ...parts,
      uniforms: momentsOf(loop, phase.finish.length > 0),
      workgroups: [Math.ceil(width / (units * lanes)), Math.ceil(batch / rows), chains] as const,
      loop: turn,
    };
    const own = { ROWS: rows, UNITS: units, PHASES: 1, ...counts };
    return together
      ? dispatch(recurrent_lanes, { ...launch, counts: own })
      : dispatch(recurrent_step, { ...launch, counts: own, constants: { WORKGROUP: lanes } });
  });
}

const stepLaunches = (loop: Loop, target: Target): Dispatch[] =>
  tiledLaunches(loop, target, target.software ? 16 : 64, false);
const laneLaunches = (loop: Loop, target: Target): Dispatch[] => tiledLaunches(loop, target, 4, true);

/** A launch of the kernel of whole workgroups. */
function groupLaunch(
  loop: Loop,
  chosen: readonly number[],
  { lanes, slices, rows, keeping }: GroupShape,
  groups: number,
  uniforms: ReturnType<typeof momentsOf>,
  turn: object,
): Dispatch {
  const { layout, phases, packing, batch } = loop;
  checkRows(loop, rows);
  const turns = ({ width }: Phase): number => Math.ceil(layout.width(width) / (lanes * groups));
  const { counts, ...parts } = partsOf(loop, chosen, { turns, slices, keeping });
  const products = Math.max(1, ...chosen.map((p) => phases[p].products.length));
  return dispatch(recurrent_sequence, {
    ...parts,
    constants: {
      LANES: lanes,
      SLICES: slices,
      INVOCATIONS: lanes * slices,
      PARTS: slices > 1 ? slices * lanes * rows * products : 1,
      QUADS: keeping === 'shared' ? packing.perChain : 1,
    },
    counts: {
      PHASES: chosen.length,
      ROWS: rows,
      UNITS: 1,
      SHARES: keeping === 'shared' ? 1 : 0,
      HOLDS: keeping === 'held' ? 1 : 0,
      ...counts,
    },
    uniforms,
    workgroups: [groups, Math.ceil(batch / rows), layout.chains],
    loop: turn,
  });
}

/** A launch per step and phase, each of workgroups that share its sums. */
function slicedLaunches(loop: Loop, target: Target): Dispatch[] {
  const turn = {};
  return loop.phases.map((phase, p) => {
    const shape = slicedShape(target, { ...sizeOf(loop), products: Math.max(1, phase.products.length) });
    const groups = Math.ceil(loop.layout.width(phase.width) / shape.lanes);
    return groupLaunch(loop, [p], shape, groups, momentsOf(loop, phase.finish.length > 0), turn);
  });
}

/** A launch for as many steps as a launch may take. @param shape undefined where the weights are too large for it. */
function sequenceLaunches(loop: Loop, shape: GroupShape | undefined): Dispatch[] {
  if (shape === undefined) throw new GatewiseError('internal', 'recurrent: more weights than can be kept');
  const { layout, phases, backward, steps, batch } = loop;
  const all = phases.map((_, p) => p);
  const moments = momentsOf(
    loop,
    phases.some(({ finish }) => finish.length > 0),
  );
  const size = stepsPerLaunch(moments.length, flopOf(layout, phases), shape);
  const chunks = Array.from({ length: Math.ceil(moments.length / size) }, (_, i) => {
    const own = moments.slice(i * size, (i + 1) * size);
    return { next: own[0].next, count: own.length, stride: backward ? -1 : 1, steps, batch };
  });
  return [groupLaunch(loop, all, shape, 1, chunks, {})];
}

const LAUNCHES = {
  step: stepLaunches,
  lanes: laneLaunches,
  sliced: slicedLaunches,
  sequence: (loop: Loop, target: Target) => sequenceLaunches(loop, sequenceShape(target, sizeOf(loop))),
  sequence_shared: (loop: Loop, target: Target) => sequenceLaunches(loop, sharedShape(target, sizeOf(loop))),
  sequence_held: (loop: Loop, target: Target) => sequenceLaunches(loop, heldShape(target, sizeOf(loop))),
};
export type Way = keyof typeof LAUNCHES;

function passOf({ attrs, outputs }: Placed<RecurrentAttrs>, backward: boolean): Pass {
  const [, steps, batch] = outputs[0].view.shape;
  const layout = new RecurrentLayout(attrs);
  const phases = backward ? layout.program.backward : layout.forward;
  return { attrs, layout, phases, packing: packingOf(layout, backward), backward, steps, batch };
}

function variantsOf(placed: Placed<RecurrentAttrs>, backward: boolean, target: Target): Variants {
  const pass = passOf(placed, backward);
  const { attrs, steps, batch } = pass;
  const size = sizeOf(pass);
  // Stacked layers pass on what they make, and workgroups can do so from launch to launch alone.
  const sequence = !pass.layout.stacked;
  // What is kept is for the steps that follow, and a software adapter has but one kind of memory.
  const keeps = sequence && steps > 1 && !target.software;
  const fits = {
    step: true,
    lanes: target.lanes === 4,
    sliced: batch <= 4,
    sequence,
    sequence_shared: keeps && sharedShape(target, size) !== undefined,
    sequence_held: keeps && heldShape(target, size) !== undefined,
  };
  // The calibration of one workgroup's bandwidth against a launch, as known of large GPUs; measured where it is tuned.
  const preferred = ((): Way => {
    if (target.software) return fits.lanes ? 'lanes' : 'step';
    if (fits.sequence_held) return 'sequence_held';
    if (fits.sequence_shared) return 'sequence_shared';
    if (sequence && steps > 1 && streamsWell(size.bytes)) return 'sequence';
    return batch <= 4 ? 'sliced' : 'step';
  })();
  const names: [Way, ...Way[]] = [
    preferred,
    ...(Object.keys(LAUNCHES) as Way[]).filter((way) => way !== preferred && fits[way]),
  ];
  const { cell, hidden, chains, projection, precision } = attrs;
  const packed = precision === 'float32' ? '' : `:${precision}`;
  return {
    names,
    kind: `${cell.name}:${sizeClass(steps, batch, hidden, projection)}x${chains}${pass.layout.stacked ? ' layers' : ''}${packed}`,
  };
}

export const forwardVariants = (placed: Placed<RecurrentAttrs>, target: Target): Variants =>
  variantsOf(placed, false, target);
export const backwardVariants = (placed: Placed<RecurrentAttrs>, target: Target): Variants =>
  variantsOf(placed, true, target);

const isWay = (name: string | undefined): name is Way => name !== undefined && name in LAUNCHES;

function loopDispatches(
  placed: Placed<RecurrentAttrs>,
  roles: Roles<Region>,
  regions: Loop['regions'],
  target: Target,
  variant: string | undefined,
): Dispatch[] {
  const backward = 'd_output' in regions;
  const { packed, largest, vectors, rows, seed } = roles;
  const loop: Loop = {
    ...passOf(placed, backward),
    hasOutputGradient: regions['d_output'] !== undefined,
    readsInitial: !backward && regions['carry'] !== undefined,
    regions: { stash: placed.outputs[0], packed, largest, vectors, rows, seed, ...regions },
  };
  if (!isWay(variant)) throw new GatewiseError('internal', `recurrent: no variant ${String(variant)}`);
  return LAUNCHES[variant](loop, target);
}

/** The initial states (D, B, W) of each state, written to the time at which each chain starts. */
function startDispatches(
  attrs: RecurrentAttrs,
  initial: Region,
  states: Region,
  steps: number,
  batch: number,
): Dispatch[] {
  const layout = new RecurrentLayout(attrs);
  const { chains, stateOffset, stateUnits } = layout;
  const isEven = new Set(layout.program.stateWidths).size === 1;
  // States of one width are one copy.
  const groups = isEven ? [0] : stateOffset.map((_, s) => s);
  return groups.flatMap((s) => {
    const width = layout.stateWidth(s);
    const count = isEven ? stateUnits / width : 1;
    const shape = [count, chains, batch, width];
    const from = chains * batch * width;
    const times = layout.stateTimes(steps);
    // Where direction 1 starts.
    const last = attrs.lean || attrs.stacked ? 0 : steps;
    const all = times * batch * width;
    return copyDispatch(
      {
        ...initial,
        view: {
          shape,
          strides: [from, batch * width, width, 1],
          offset: initial.view.offset + stateOffset[s] * chains * batch,
        },
      },
      {
        ...states,
        view: {
          shape,
          strides: [chains * all, all + last * batch * width, width, 1],
          offset: states.view.offset + stateOffset[s] * chains * times * batch,
        },
      },
    );
  });
}

export function recurrentGPU(
  placed: Placed<RecurrentAttrs>,
  target: Target,
  variant: string | undefined,
): Dispatch[] {
  const { attrs, inputs, outputs } = placed;
  const [stash, states, output] = outputs;
  const [, steps, batch] = stash.view.shape;
  const { initial, ...roles } = forwardRoles(attrs, inputs);
  // A single step reads them where they are; more come back to where the first has put its own.
  const inPlace = attrs.lean && steps === 1;
  const start = initial === undefined || inPlace ? [] : startDispatches(attrs, initial, states, steps, batch);
  const regions = {
    states,
    output: attrs.lean ? output : undefined,
    carry: inPlace ? initial : undefined,
  };
  return [...start, ...loopDispatches(placed, roles, regions, target, variant)];
}

export function recurrentBackwardGPU(
  placed: Placed<RecurrentAttrs>,
  target: Target,
  variant: string | undefined,
): Dispatch[] {
  const { states, dOutput, ...roles } = backwardRoles(placed.attrs, placed.inputs);
  return loopDispatches(
    placed,
    roles,
    { states, carry: placed.outputs[1], d_output: dOutput },
    target,
    variant,
  );
}
