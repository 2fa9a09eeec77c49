// The plan: a flat list of steps over buffers. Data only; a backend runs it.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { sameView, viewEnd, type View } from '../core/view.ts';
import { GPU_TARGET, type Dispatch, type Region, type Target } from '../graph/launch.ts';
import type { Cost, IndexRange, Placed, Signature, Value, Variants } from '../graph/value.ts';
import { GraphView } from './graph_view.ts';
import { joinCopies } from './join_copies.ts';
import { keep } from './keep.ts';
import { lower, type Donate, type LoweredStep } from './lower.ts';
import { colour, shareInPlace, type BufferSpec } from './memory.ts';
import type { Place } from './place.ts';

export interface Step extends Placed {
  /** What it computes, such as `matmul, add(product, in2)`. */
  readonly label: string;
  readonly cost: Cost;
  /** It runs at first, and when one of the plan's settled arguments has changed; its results stay in between. */
  readonly kept: boolean;
  /** It follows from arguments that are known before the others, and may run when they are; else it runs with the others. */
  readonly early: boolean;
}

export interface Plan {
  readonly buffers: readonly BufferSpec[];
  readonly steps: readonly Step[];
  readonly arguments: readonly Signature[];
  /** Which buffer each argument is in; undefined for arguments that nothing reads. */
  readonly argumentBuffers: readonly (number | undefined)[];
  readonly outputs: readonly Region[];
  /** Arguments that kept steps read. */
  readonly settled: readonly number[];
  /** Arguments from which all that early steps make follows; none where there are no such steps. */
  readonly known: readonly number[];
  /** What is read as indices, once for each way of reading. */
  readonly indexLimits: readonly IndexLimit[];
}

/** A part of an argument that is read as indices or lengths, and what they may be. */
export interface IndexLimit extends IndexRange {
  readonly argument: number;
  /** Which of the argument's elements. */
  readonly view: View;
}

/**
 * Plans the computation of `outputs` from `args`.
 * @param donate for each output, the argument whose memory it takes over, so that state is updated in place.
 * @param settled arguments that rarely change from run to run: what follows from them alone is kept.
 * @param known arguments that are there before the others of a run: what follows from them and the settled ones may run early.
 */
export function makePlan(
  args: readonly Value[],
  outputs: readonly Value[],
  donate: Donate = [],
  settled: readonly number[] = [],
  known: readonly number[] = [],
): Plan {
  const graph = new GraphView(outputs);
  const unbound = [...graph.nodes.flatMap((node) => node.inputs), ...outputs].find(
    (value) => value.node === undefined && !args.includes(value),
  );
  if (unbound !== undefined) {
    throw new GatewiseError(
      'argument',
      `compile: the function uses a traced value of shape [${unbound.shape.join(', ')}] that is not one of its arguments; pass it in`,
    );
  }
  const kept = keep(lower(graph, args, donate), settled, known);
  const lowered = { ...kept, steps: joinCopies(kept.steps) };
  const { steps, outputs: results, root } = shareInPlace(lowered);
  const { buffers, bufferOf } = colour(steps, results, root, lowered.keptStorages);
  const region = ({ storage, view, dtype }: Place): Region => ({ buffer: bufferOf(storage), view, dtype });
  return {
    buffers,
    steps: steps.map((step) => ({
      op: step.op,
      attrs: step.attrs,
      label: step.label,
      inputs: step.inputs.map(region),
      outputs: step.outputs.map(region),
      scratch: step.scratch.map(region),
      cost: costOf(step),
      kept: step.kept === true,
      early: step.early === true,
    })),
    arguments: args.map(({ shape, dtype }) => ({ shape, dtype })),
    argumentBuffers: args.map((_, index) => {
      const buffer = buffers.findIndex((spec) => spec.kind === 'argument' && spec.index === index);
      return buffer < 0 ? undefined : buffer;
    }),
    outputs: results.map(region),
    settled: settled.filter((index) =>
      steps.some(
        (step) => step.kept === true && step.inputs.some(({ storage }) => storage.outside?.index === index),
      ),
    ),
    known: steps.some(({ early }) => early === true) ? [...settled, ...known] : [],
    indexLimits: indexLimitsOf(graph, args),
  };
}

function costOf({ op, attrs, inputs, outputs }: LoweredStep): Cost {
  const signatures = (places: readonly Place[]): Signature[] =>
    places.map(({ view, dtype }) => ({ shape: view.shape, dtype }));
  const flop = op.cost?.(attrs, signatures(inputs), signatures(outputs)) ?? 0;
  const reads = op.reads?.(attrs, signatures(inputs)) ?? [];
  const elements = ({ view }: Place): number => Math.min(sizeOf(view.shape), viewEnd(view) - view.offset);
  const touched = [
    ...inputs.map((input, i) => Math.min(elements(input), reads[i] ?? Infinity)),
    ...outputs.map(elements),
  ];
  return { flop, bytes: 4 * touched.reduce((a, b) => a + b, 0) };
}

function indexLimitsOf(graph: GraphView, args: readonly Value[]): IndexLimit[] {
  const limits: IndexLimit[] = [];
  const add = (value: Value, range: IndexRange): void => {
    const { base, view } = graph.resolve(graph.canonical(value));
    if (base.node !== undefined) {
      // Copied or put together: all that goes into it counts, even where only a part is then read.
      for (const input of base.node.inputs) add(input, range);
      return;
    }
    const argument = args.indexOf(base);
    const known = limits.findIndex(
      (other) =>
        other.argument === argument &&
        other.kind === range.kind &&
        other.except === range.except &&
        sameView(other.view, view),
    );
    const made = { argument, view, ...range };
    if (known < 0) limits.push(made);
    else limits[known] = { ...made, limit: Math.min(range.limit, limits[known].limit) };
  };
  for (const node of graph.nodes) {
    for (const { input, ...range } of node.op.indexLimits?.(node.attrs, node.inputs, node.outputs) ?? [])
      add(node.inputs[input], range);
  }
  return limits;
}

/** Which variant to take for which kind of step, by `op:kind`. */
export type Choices = Readonly<Record<string, string>>;

/** The key of a step's kind among choices, and the variants that there are for it; undefined where there is no choice. */
export function variantsOf(
  step: Step,
  target: Target,
): { readonly key: string; readonly names: Variants['names'] } | undefined {
  const variants = step.op.variants?.(step, target);
  return variants && { key: `${step.op.name}:${variants.kind}`, names: variants.names };
}

/** The variant that a step is run in: what was chosen for its kind, where that can do it, else the target's default. */
export function variantOf(step: Step, target: Target, choices: Choices = {}): string | undefined {
  const variants = variantsOf(step, target);
  if (variants === undefined) return undefined;
  return variants.names.find((name) => name === choices[variants.key]) ?? variants.names[0];
}

/** The kernel launches of a step. @param variant the target's default unless given. */
export function dispatchesOf(
  step: Step,
  target: Target = GPU_TARGET,
  variant: string | undefined = variantOf(step, target),
): Dispatch[] {
  if (step.op.gpu === undefined) throw new GatewiseError('internal', `plan: ${step.op.name} has no kernel`);
  return step.op.gpu(step, target, variant);
}

/** How often a step launches a kernel, for the target and in the variant as for `dispatchesOf`. */
export function countDispatches(step: Step, target?: Target, variant?: string): number {
  return dispatchesOf(step, target, variant).reduce((sum, { uniforms }) => sum + uniforms.length, 0);
}
