// The variants of a recurrent loop:
//   step       one launch per step and phase; an invocation owns a tile of rows and units and all their products
//   subgroup   the same launches; the four invocations of a subgroup load shared vectors together
//   split_k    the same launches; several invocations share each sum over k, since few rows do not fill a device
//   persistent_streamed   many steps in one launch; a workgroup owns some rows and all their units
//   persistent_workgroup, persistent_registers   the same, with weights loaded once into workgroup memory or registers
import { GatewiseError } from '../../../../core/errors.ts';
import type { Phase } from '../../../../cells/phases.ts';
import { operandsOf } from '../../../../graph/operands.ts';
import {
  flopOf,
  RecurrentLayout,
  stridesOf,
  type RecurrentAttrs,
  type Strides,
} from '../../../../ops/recurrent_schedule.ts';
import { QUAD_WORDS } from '../../../../ops/weight_precision.ts';
import type { Placed, Region } from '../../../../plan/target.ts';
import { recurrent_subgroup } from '../../../../../shaders/gen/recurrent_subgroup.ts';
import { recurrent_persistent } from '../../../../../shaders/gen/recurrent_persistent.ts';
import { recurrent_step } from '../../../../../shaders/gen/recurrent_step.ts';
import type { DeviceInfo } from '../../device_info.ts';
import { bindDense, dispatch, type Dispatch } from '../../dispatch.ts';
import { copyDispatch } from '../elementwise.ts';
import { sizeClass, type Variants } from '../kernel.ts';
import {
  registersGeometry,
  splitGeometry,
  stepsPerLaunch,
  stepTile,
  streamedGeometry,
  streamsWell,
  workgroupGeometry,
  type GroupGeometry,
  type LoopSize,
} from './geometry.ts';
import { packingOf, quadsOfSplit, quadsPerInvocation, type Packing } from './packing.ts';
import { PACKED_NAMES, phasesWGSL, type PhaseText, type StepText } from './phases_wgsl.ts';

/** WebGPU's default limit for each axis of a launch. */
const MAX_WORKGROUPS = 65535;

/** One direction of a loop, forward or backward. */
interface Pass {
  readonly attrs: RecurrentAttrs;
  readonly layout: RecurrentLayout;
  readonly phases: readonly Phase[];
  readonly packing: Packing;
  readonly backward: boolean;
  readonly steps: number;
  readonly batch: number;
}

/** A pass, and the tensors that its launches bind. */
interface Loop extends Pass {
  readonly text: Omit<StepText, 'together' | 'residence'>;
  /** Keyed by the kernels' binding names, except `packed`, whose name depends on its precision. */
  readonly regions: Readonly<Record<string, Region | undefined>>;
}

const precisionOf = ({ packed = 'float32' }: RecurrentAttrs) => packed;

function passOf({ attrs, outputs }: Placed<RecurrentAttrs>, backward: boolean): Pass {
  const [, steps, batch] = outputs[0].view.shape;
  const layout = new RecurrentLayout(attrs);
  const packing = packingOf(layout, backward);
  return { attrs, layout, phases: layout.phases(backward), packing, backward, steps, batch };
}

/** The uniforms of each step, in processing order. @param last Whether the backward loop has a finishing step. */
const stepUniforms = ({ layout, steps, batch, backward }: Loop, last: boolean) => {
  const waves = layout.waves(steps, backward).filter((wave) => wave >= 0 || last);
  return waves.map((wave) => ({ next: wave + 1, count: 1, stride: 1, steps, batch }));
};

/** Bindings, spliced text and unroll counts for a launch of some phases. @param options.turns Turns of each phase. */
function launchParts(
  loop: Loop,
  chosen: readonly number[],
  {
    turns = () => 1,
    together = false,
    splits = 1,
    residence = 'streamed',
  }: {
    turns?: (phase: Phase) => number;
    together?: boolean;
    splits?: number;
    residence?: StepText['residence'];
  },
) {
  const { phases, packing, backward, regions, text } = loop;
  const texts = chosen.map((p): PhaseText => ({
    phase: phases[p],
    vectors: packing.phases[p],
    turns: turns(phases[p]),
  }));
  const reads = texts.some(({ vectors }) => vectors.length > 0);
  const { packed, largest, ...others } = regions;
  const bound = Object.entries({
    ...others,
    ...(reads ? { [PACKED_NAMES[text.precision]]: packed, largest } : {}),
  });
  const counts = texts.flatMap(({ vectors }, i) => [
    [`VECTORS_${i}`, vectors.length] as const,
    [`MATRICES_${i}`, vectors[0]?.reads.length ?? 0] as const,
    [`COPIES_${i}`, residence === 'registers' ? quadsOfSplit(vectors, splits) : 1] as const,
  ]);
  return {
    bindings: Object.fromEntries(
      bound.flatMap(([name, region]) => (region === undefined ? [] : [[name, bindDense(region)]])),
    ),
    readOnly: backward ? (['states'] as const) : (['carry'] as const),
    splices: { phases: phasesWGSL({ ...text, together, residence }, texts) },
    counts: Object.fromEntries(counts) as Record<`${'VECTORS' | 'MATRICES' | 'COPIES'}_${number}`, number>,
  };
}

function checkRows({ attrs, batch }: Loop, rows: number): void {
  if (Math.ceil(batch / rows) > MAX_WORKGROUPS)
    throw new GatewiseError(
      'unsupported',
      `recurrent (${attrs.cell.name}): a batch of ${batch} rows is more than a device takes at once; split it`,
    );
}

function sizeOf({ attrs, layout, phases, packing, batch }: Pass): LoopSize {
  const words = QUAD_WORDS[precisionOf(attrs)];
  const most = (list: readonly number[]): number => Math.max(1, ...list);
  return {
    width: most(phases.map(({ width }) => layout.width(width))),
    products: most(phases.map(({ products }) => products.length)),
    depth: most(packing.phases.flat().map(({ depth }) => depth)),
    batch,
    pseudoLayers: layout.pseudoLayers,
    bytes: 4 * words * packing.quadsPerLayer,
    wordsPerInvocation: (splits) => words * quadsPerInvocation(packing, splits),
  };
}

/** One launch per step and phase. @param lanes Invocations per workgroup. @param together Whether they form a subgroup. */
function tiledLaunches(loop: Loop, device: DeviceInfo, lanes: number, together: boolean): Dispatch[] {
  const { layout, batch } = loop;
  const { pseudoLayers } = layout;
  const turn = {};
  return loop.phases.map((phase, p) => {
    const width = layout.width(phase.width);
    const size = { products: phase.products.length, width, batch, pseudoLayers };
    const { rows, units } = stepTile(device, size);
    checkRows(loop, rows);
    const { counts, ...parts } = launchParts(loop, [p], { together });
    const launch = {
      ...parts,
      uniforms: stepUniforms(loop, phase.finish.length > 0),
      workgroups: [Math.ceil(width / (units * lanes)), Math.ceil(batch / rows), pseudoLayers] as const,
      loop: turn,
    };
    const own = { ROWS: rows, UNITS: units, PHASES: 1, ...counts };
    return together
      ? dispatch(recurrent_subgroup, { ...launch, counts: own })
      : dispatch(recurrent_step, { ...launch, counts: own, constants: { WORKGROUP: lanes } });
  });
}

/** A launch of the kernel whose invocations share sums. @param groups Workgroups that share the units of a row. */
function groupLaunch(
  loop: Loop,
  chosen: readonly number[],
  { lanes, splits, rows, residence }: GroupGeometry,
  groups: number,
  uniforms: ReturnType<typeof stepUniforms>,
  turn: object,
): Dispatch {
  const { layout, phases, packing, batch } = loop;
  checkRows(loop, rows);
  const turns = ({ width }: Phase): number => Math.ceil(layout.width(width) / (lanes * groups));
  const { counts, ...parts } = launchParts(loop, chosen, { turns, splits, residence });
  const products = Math.max(1, ...chosen.map((p) => phases[p].products.length));
  return dispatch(recurrent_persistent, {
    ...parts,
    constants: {
      LANES: lanes,
      SPLITS: splits,
      INVOCATIONS: lanes * splits,
      PARTIALS: splits > 1 ? splits * lanes * rows * products : 1,
      QUADS: residence === 'workgroup' ? packing.quadsPerLayer : 1,
    },
    counts: {
      PHASES: chosen.length,
      ROWS: rows,
      UNITS: 1,
      IN_WORKGROUP: residence === 'workgroup' ? 1 : 0,
      IN_REGISTERS: residence === 'registers' ? 1 : 0,
      ...counts,
    },
    uniforms,
    workgroups: [groups, Math.ceil(batch / rows), layout.pseudoLayers],
    loop: turn,
  });
}

/** One launch per step and phase, with sums shared inside a workgroup. */
function splitLaunches(loop: Loop, device: DeviceInfo): Dispatch[] {
  const turn = {};
  return loop.phases.map((phase, p) => {
    const size = { ...sizeOf(loop), products: Math.max(1, phase.products.length) };
    const geometry = splitGeometry(device, size);
    const groups = Math.ceil(loop.layout.width(phase.width) / geometry.lanes);
    return groupLaunch(loop, [p], geometry, groups, stepUniforms(loop, phase.finish.length > 0), turn);
  });
}

/** Launches of as many steps each as the FLOP cap allows. */
function persistentLaunches(loop: Loop, geometry: GroupGeometry | undefined): Dispatch[] {
  if (geometry === undefined)
    throw new GatewiseError('internal', 'recurrent: the weights do not fit where the variant keeps them');
  const { layout, phases, backward, steps, batch } = loop;
  const uniforms = stepUniforms(
    loop,
    phases.some(({ finish }) => finish.length > 0),
  );
  const size = stepsPerLaunch(uniforms.length, flopOf(layout, phases), geometry);
  const launches = Array.from({ length: Math.ceil(uniforms.length / size) }, (_, i) => {
    const own = uniforms.slice(i * size, (i + 1) * size);
    return { next: own[0].next, count: own.length, stride: backward ? -1 : 1, steps, batch };
  });
  return [groupLaunch(loop, [...phases.keys()], geometry, 1, launches, {})];
}

const LAUNCHES = {
  step: (loop: Loop, device: DeviceInfo) => tiledLaunches(loop, device, device.software ? 16 : 64, false),
  subgroup: (loop: Loop, device: DeviceInfo) => tiledLaunches(loop, device, 4, true),
  split_k: splitLaunches,
  persistent_streamed: (loop: Loop, device: DeviceInfo) =>
    persistentLaunches(loop, streamedGeometry(device, sizeOf(loop))),
  persistent_workgroup: (loop: Loop, device: DeviceInfo) =>
    persistentLaunches(loop, workgroupGeometry(device, sizeOf(loop))),
  persistent_registers: (loop: Loop, device: DeviceInfo) =>
    persistentLaunches(loop, registersGeometry(device, sizeOf(loop))),
};
export type RecurrentVariant = keyof typeof LAUNCHES;

const isVariant = (name: string | undefined): name is RecurrentVariant =>
  name !== undefined && name in LAUNCHES;

export function loopVariants(
  placed: Placed<RecurrentAttrs>,
  device: DeviceInfo,
  backward: boolean,
): Variants {
  const pass = passOf(placed, backward);
  const { attrs, layout, steps, batch } = pass;
  const size = sizeOf(pass);
  // Wavefront layers pass h between workgroups, which synchronise only between launches.
  const persistent = !layout.isWavefront;
  // Loading weights once pays off from the second step on; a software adapter has only one kind of memory.
  const resident = persistent && steps > 1 && !device.software;
  const fits: Readonly<Record<RecurrentVariant, boolean>> = {
    step: true,
    subgroup: device.subgroupSize === 4,
    split_k: batch <= 4,
    persistent_streamed: persistent,
    persistent_workgroup: resident && workgroupGeometry(device, size) !== undefined,
    persistent_registers: resident && registersGeometry(device, size) !== undefined,
  };
  // Compares one workgroup's bandwidth with the cost of a launch, for large GPUs; tuning measures it.
  const preferred = ((): RecurrentVariant => {
    if (device.software) return fits.subgroup ? 'subgroup' : 'step';
    if (fits.persistent_registers) return 'persistent_registers';
    if (fits.persistent_workgroup) return 'persistent_workgroup';
    if (persistent && steps > 1 && streamsWell(size.bytes)) return 'persistent_streamed';
    return batch <= 4 ? 'split_k' : 'step';
  })();
  const others = (Object.keys(LAUNCHES) as RecurrentVariant[]).filter(
    (name) => name !== preferred && fits[name],
  );
  const { cell, hidden, pseudoLayers, projection } = attrs;
  const precision = precisionOf(attrs) === 'float32' ? '' : `:${precisionOf(attrs)}`;
  const sizes = sizeClass(steps, batch, hidden, projection);
  const arrangement = layout.isWavefront ? ' wavefront' : '';
  return {
    names: [preferred, ...others],
    kind: `${cell.name}:${sizes}x${pseudoLayers}${arrangement}${precision}`,
  };
}

/** Copies the initial states (P, B, W) to the time index at which each pseudo-layer starts. */
function startDispatches({ layout, steps, batch }: Pass, initial: Region, states: Region): Dispatch[] {
  const { pseudoLayers, stateUnits } = layout;
  const sizes = { steps, batch, times: layout.stateTimes(steps) };
  const widths = layout.program.stateWidths.map((width) => layout.width(width));
  // One copy serves all states of equal width.
  const isEven = new Set(widths).size === 1;
  return (isEven ? [0] : [...widths.keys()]).flatMap((s) => {
    const shape = [isEven ? stateUnits / widths[s] : 1, pseudoLayers, batch, widths[s]];
    const regionOf = ({ view, ...region }: Region, { base, layer, row }: Strides, start = 0): Region => ({
      ...region,
      view: { shape, strides: [pseudoLayers * layer, layer + start, row, 1], offset: view.offset + base },
    });
    const target = stridesOf(layout.addressOf({ kind: 'state', index: s }), sizes);
    const start = pseudoLayers > 1 ? target.time * layout.stateTime(1, 0, steps) : 0;
    return copyDispatch(
      regionOf(initial, stridesOf(layout.addressOf({ kind: 'carry', index: s }), sizes)),
      regionOf(states, target, start),
    );
  });
}

export function loopDispatches(
  placed: Placed<RecurrentAttrs>,
  device: DeviceInfo,
  variant: string | undefined,
  backward: boolean,
): Dispatch[] {
  const pass = passOf(placed, backward);
  const { attrs, layout, steps } = pass;
  const operands = operandsOf(attrs.operands, placed.inputs);
  const [reserve, second, output] = placed.outputs;
  const initial = operands.initial.at(0);
  // A single step reads the initial states directly; longer loops overwrite their memory.
  const asGiven = !backward && layout.isInference && steps === 1 && initial !== undefined;
  const own = backward
    ? { states: operands.states[0], carry: second, d_output: operands.dOutput.at(0) }
    : {
        states: second,
        output: layout.isInference ? output : undefined,
        carry: asGiven ? initial : undefined,
      };
  const loop: Loop = {
    ...pass,
    text: {
      attrs,
      layout,
      precision: precisionOf(attrs),
      quadsPerLayer: pass.packing.quadsPerLayer,
      hasOutputGradient: operands.dOutput.length > 0,
      initial: backward ? 'in memory' : initial === undefined ? 'zero' : asGiven ? 'as given' : 'in memory',
    },
    regions: {
      reserve,
      packed: operands.packed.at(0),
      largest: operands.scales.at(0),
      vectors: operands.vectors.at(0),
      rows: operands.rows.at(0),
      seed: operands.seed.at(0),
      ...own,
    },
  };
  if (!isVariant(variant)) throw new GatewiseError('internal', `recurrent: no variant ${String(variant)}`);
  const isCopied = !backward && initial !== undefined && !asGiven;
  const start = isCopied ? startDispatches(pass, initial, second) : [];
  return [...start, ...LAUNCHES[variant](loop, device)];
}
