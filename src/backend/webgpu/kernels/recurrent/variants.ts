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
import { dispatch, type Dispatch } from '../../dispatch.ts';
import { copyDispatch } from '../elementwise.ts';
import { sizeClass, variantNames, type Variants } from '../kernel.ts';
import { WEIGHT_TEXT } from '../weight_text.ts';
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
import { joinVectors, packingOf, quadsOfSplit, quadsPerInvocation, type PackedPhase } from './packing.ts';
import { phasesWGSL, type LaunchText, type Loop } from './phases_wgsl.ts';

/** WebGPU's default limit for each axis of a launch. */
const MAX_WORKGROUPS = 65535;

/** A loop, and the tensors that its launches bind, by the kernels' names. The packed weights are apart: some phases read none. */
interface BoundLoop extends Loop {
  readonly regions: Regions;
  readonly weights: Regions;
}

/** The bindings of all three kernels, which include one library. */
type Regions = Readonly<Partial<Record<keyof typeof recurrent_step.bindings, Region | undefined>>>;

function loopOf({ attrs, inputs, outputs }: Placed<RecurrentAttrs>, backward: boolean): BoundLoop {
  const [reserve, second, output] = outputs;
  const [, steps, batch] = reserve.view.shape;
  const layout = new RecurrentLayout(attrs);
  const packing = packingOf(layout, backward);
  const phases = packing.phases.map((phase) => joinVectors(layout, phase));
  const { quadsPerLayer } = packing;
  const operands = operandsOf(attrs.operands, inputs);
  const { packed: precision = 'float32' } = attrs;
  const given = operands.initial.at(0);
  // A single step reads the initial states directly; longer loops overwrite their memory.
  const isSingle = layout.isInference && steps === 1;
  const initial = backward ? 'in memory' : given === undefined ? 'zero' : isSingle ? 'as given' : 'in memory';
  const own = backward
    ? { states: operands.states[0], carry: second, output: operands.dOutput.at(0) }
    : {
        states: second,
        carry: initial === 'as given' ? given : undefined,
        output: layout.isInference ? output : undefined,
      };
  return {
    attrs,
    layout,
    backward,
    steps,
    batch,
    phases,
    precision,
    quadsPerLayer,
    initial,
    regions: {
      reserve,
      ...own,
      vectors: operands.vectors.at(0),
      rows: operands.rows.at(0),
      seed: operands.seed.at(0),
    },
    weights: {
      [WEIGHT_TEXT[precision].bindings.recurrent]: operands.packed.at(0),
      largest: operands.scales.at(0),
    },
  };
}

/** The uniforms of each step of some phases, in processing order. The backward loop may have a finishing step. */
const stepUniforms = ({ layout, steps, batch, backward }: Loop, phases: readonly PackedPhase[]) => {
  const last = phases.some(({ phase }) => phase.finish.length > 0);
  const waves = layout.waves(steps, backward).filter((wave) => wave >= 0 || last);
  return waves.map((wave) => ({ next: wave + 1, count: 1, stride: 1, steps, batch }));
};

/** Bindings, spliced text and unroll counts for a launch of some phases. */
function launchParts(loop: BoundLoop, phases: readonly PackedPhase[], text: LaunchText, splits: number = 1) {
  const counts = phases.flatMap(({ vectors }, i) => [
    [`VECTORS_${i}`, vectors.length] as const,
    [`MATRICES_${i}`, vectors[0]?.reads.length ?? 0] as const,
    [`COPIES_${i}`, text.residence === 'registers' ? quadsOfSplit(vectors, splits) : 1] as const,
  ]);
  const reads = phases.some(({ vectors }) => vectors.length > 0);
  const { reserve, states, ...others } = loop.regions;
  return {
    bindings: { reserve, states },
    // The cell and the form of the loop decide which there are. A CPU's plan, whose launches `countDispatches` counts too, packs
    // no weights.
    optional: { ...others, ...(reads && loop.weights) },
    readOnly: loop.backward ? (['states', 'output'] as const) : (['carry'] as const),
    splices: { phases: phasesWGSL(loop, phases, text) },
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

function sizeOf({ layout, phases, batch, precision, quadsPerLayer }: Loop): LoopSize {
  const words = QUAD_WORDS[precision];
  const most = (list: readonly number[]): number => Math.max(1, ...list);
  return {
    width: most(phases.map(({ phase }) => layout.width(phase.width))),
    products: most(phases.map(({ phase }) => phase.products.length)),
    depth: most(phases.flatMap(({ vectors }) => vectors.map(({ depth }) => depth))),
    batch,
    pseudoLayers: layout.pseudoLayers,
    bytes: 4 * words * quadsPerLayer,
    wordsPerInvocation: (splits) => words * quadsPerInvocation(phases, splits),
  };
}

/** One launch per step and phase. @param lanes Invocations per workgroup. @param together Whether they form a subgroup. */
function tiledLaunches(loop: BoundLoop, device: DeviceInfo, lanes: number, together: boolean): Dispatch[] {
  const { layout, batch } = loop;
  const { pseudoLayers } = layout;
  const turn = {};
  return loop.phases.map((own) => {
    const { phase } = own;
    const width = layout.width(phase.width);
    const size = { products: phase.products.length, width, batch, pseudoLayers };
    const { rows, units } = stepTile(device, size);
    checkRows(loop, rows);
    const { counts, ...parts } = launchParts(loop, [own], {
      residence: 'streamed',
      together,
      turnsOf: () => 1,
    });
    const launch = {
      ...parts,
      counts: { ROWS: rows, UNITS: units, PHASES: 1, ...counts },
      uniforms: stepUniforms(loop, [own]),
      workgroups: [Math.ceil(width / (units * lanes)), Math.ceil(batch / rows), pseudoLayers] as const,
      loop: turn,
    };
    return together
      ? dispatch(recurrent_subgroup, launch)
      : dispatch(recurrent_step, { ...launch, constants: { WORKGROUP: lanes } });
  });
}

/** A launch of the kernel whose invocations share sums. @param groups Workgroups that share the units of a row. */
function groupLaunch(
  loop: BoundLoop,
  phases: readonly PackedPhase[],
  { lanes, splits, rows, residence }: GroupGeometry,
  groups: number,
  uniforms: ReturnType<typeof stepUniforms>,
  turn: object,
): Dispatch {
  const { layout, quadsPerLayer, batch } = loop;
  checkRows(loop, rows);
  const turnsOf = ({ width }: Phase): number => Math.ceil(layout.width(width) / (lanes * groups));
  const { counts, ...parts } = launchParts(loop, phases, { residence, together: false, turnsOf }, splits);
  const products = Math.max(1, ...phases.map(({ phase }) => phase.products.length));
  return dispatch(recurrent_persistent, {
    ...parts,
    constants: {
      LANES: lanes,
      SPLITS: splits,
      INVOCATIONS: lanes * splits,
      PARTIALS: splits > 1 ? splits * lanes * rows * products : 1,
      QUADS: residence === 'workgroup' ? quadsPerLayer : 1,
    },
    counts: {
      PHASES: phases.length,
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
function splitLaunches(loop: BoundLoop, device: DeviceInfo): Dispatch[] {
  const turn = {};
  return loop.phases.map((own) => {
    const { phase } = own;
    const size = { ...sizeOf(loop), products: Math.max(1, phase.products.length) };
    const geometry = splitGeometry(device, size);
    const groups = Math.ceil(loop.layout.width(phase.width) / geometry.lanes);
    return groupLaunch(loop, [own], geometry, groups, stepUniforms(loop, [own]), turn);
  });
}

/** Launches of as many steps each as the FLOP cap allows. */
function persistentLaunches(loop: BoundLoop, geometry: GroupGeometry | undefined): Dispatch[] {
  if (geometry === undefined)
    throw new GatewiseError('internal', 'recurrent: the weights do not fit where the variant keeps them');
  const { layout, phases, backward, steps, batch } = loop;
  const uniforms = stepUniforms(loop, phases);
  const size = stepsPerLaunch(uniforms.length, flopOf(layout, layout.phases(backward)), geometry);
  const launches = Array.from({ length: Math.ceil(uniforms.length / size) }, (_, i) => {
    const own = uniforms.slice(i * size, (i + 1) * size);
    return { next: own[0].next, count: own.length, stride: backward ? -1 : 1, steps, batch };
  });
  return [groupLaunch(loop, phases, geometry, 1, launches, {})];
}

const PERSISTENT = {
  persistent_streamed: streamedGeometry,
  persistent_workgroup: workgroupGeometry,
  persistent_registers: registersGeometry,
};
export type RecurrentVariant = 'step' | 'subgroup' | 'split_k' | keyof typeof PERSISTENT;

export function loopVariants(
  placed: Placed<RecurrentAttrs>,
  device: DeviceInfo,
  backward: boolean,
): Variants {
  const loop = loopOf(placed, backward);
  const { attrs, layout, steps, batch, precision } = loop;
  const size = sizeOf(loop);
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
  const { cell, hidden, pseudoLayers, projection } = attrs;
  const sizes = `${sizeClass(steps, batch, hidden, projection)}x${pseudoLayers}`;
  const arrangement = layout.isWavefront ? ' wavefront' : '';
  return {
    names: variantNames(preferred, fits),
    kind: `${cell.name}:${sizes}${arrangement}${precision === 'float32' ? '' : `:${precision}`}`,
  };
}

/** Copies the initial states (P, B, W) to the time index at which each pseudo-layer starts. */
function startDispatches({ layout, steps, batch }: Loop, initial: Region, states: Region): Dispatch[] {
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
  const loop = loopOf(placed, backward);
  const [given] = operandsOf(placed.attrs.operands, placed.inputs).initial;
  const isCopied = !backward && loop.initial === 'in memory';
  return [
    ...(isCopied ? startDispatches(loop, given, placed.outputs[1]) : []),
    ...launchesOf(loop, device, variant),
  ];
}

function launchesOf(loop: BoundLoop, device: DeviceInfo, variant: string | undefined): Dispatch[] {
  switch (variant) {
    case 'step':
      return tiledLaunches(loop, device, device.software ? 16 : 64, false);
    case 'subgroup':
      return tiledLaunches(loop, device, 4, true);
    case 'split_k':
      return splitLaunches(loop, device);
    case 'persistent_streamed':
    case 'persistent_workgroup':
    case 'persistent_registers':
      return persistentLaunches(loop, PERSISTENT[variant](device, sizeOf(loop)));
    default:
      throw new GatewiseError('internal', `recurrent: no variant ${String(variant)}`);
  }
}
