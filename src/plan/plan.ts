// The plan: a flat list of steps over buffers. Data only; a backend runs it.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { sameView, viewEnd, type View } from '../core/view.ts';
import type { Cost, IndexRange, Signature, Value } from '../graph/value.ts';
import { GraphView } from './graph_view.ts';
import { joinCopies } from './join_copies.ts';
import { lower, type Donate, type LoweredStep } from './lower.ts';
import { memoise } from './memoise.ts';
import { colour, shareInPlace, type BufferSpec } from './memory.ts';
import type { Placement } from './placement.ts';
import type { Placed, Region } from './region.ts';
import { optimise } from './rewrite.ts';
import type { Target } from './target.ts';

export interface Step extends Placed {
  /** What it computes, such as `matmul, add(product, in2)`. */
  readonly label: string;
  readonly cost: Cost;
  /** It depends on frozen arguments alone: it runs at first, and again when one has changed. */
  readonly memoised: boolean;
  /** It depends on frozen and prefetchable arguments alone, so that it may run before the others are known. */
  readonly prefetchable: boolean;
}

export interface Plan {
  readonly buffers: readonly BufferSpec[];
  readonly steps: readonly Step[];
  readonly arguments: readonly Signature[];
  /** Which buffer each argument is in; undefined for arguments that nothing reads. */
  readonly argumentBuffers: readonly (number | undefined)[];
  readonly outputs: readonly Region[];
  /** Frozen arguments that memoised steps read. */
  readonly frozen: readonly number[];
  /** Arguments that prefetchable steps depend on; none where there are no such steps. */
  readonly prefetchFrom: readonly number[];
  /** What is read as indices, once for each way of reading. */
  readonly indexLimits: readonly IndexLimit[];
}

/** A part of an argument that is read as indices or lengths, and what they may be. */
export interface IndexLimit extends IndexRange {
  readonly argument: number;
  /** Which of the argument's elements. */
  readonly view: View;
}

export interface PlanOptions {
  /** The backend's kernels. */
  readonly target: Target;
  /** For each output, the argument whose memory it takes over, so that state is updated in place. */
  readonly donate?: Donate;
  /** Arguments that rarely change, such as weights during inference. Steps that depend on nothing else are memoised. */
  readonly frozen?: readonly number[];
  /** Arguments that are known before the others of a run. Steps that depend on these and frozen ones can be prefetched. */
  readonly prefetchable?: readonly number[];
}

/** Plans the computation of `outputs` from `args`. */
export function makePlan(
  args: readonly Value[],
  outputs: readonly Value[],
  { target, donate = [], frozen = [], prefetchable = [] }: PlanOptions,
): Plan {
  const early = prefetchable.length === 0 ? [] : [...frozen, ...prefetchable].map((index) => args[index]);
  const graph = new GraphView(optimise(outputs, target, new Set(early)));
  const unbound = [...graph.nodes.flatMap(({ inputs }) => inputs), ...outputs].find(
    (value) => value.node === undefined && !args.includes(value),
  );
  if (unbound !== undefined) {
    throw new GatewiseError(
      'argument',
      `compile: the function uses a traced value of shape [${unbound.shape.join(', ')}] that is not one of its arguments; pass it in`,
    );
  }
  const memoised = memoise(lower(graph, args, donate, target), frozen, prefetchable);
  const lowered = { ...memoised, steps: joinCopies(memoised.steps, target) };
  const { steps, outputs: results, root } = shareInPlace(lowered);
  const { buffers, bufferOf } = colour(steps, results, root, lowered.ownStorages);
  const region = ({ storage, view, dtype }: Placement): Region => ({
    buffer: bufferOf(storage),
    view,
    dtype,
  });
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
      memoised: step.memoised === true,
      prefetchable: step.prefetchable === true,
    })),
    arguments: args.map(({ shape, dtype }) => ({ shape, dtype })),
    argumentBuffers: args.map((_, index) => {
      const buffer = buffers.findIndex((spec) => spec.kind === 'argument' && spec.index === index);
      return buffer < 0 ? undefined : buffer;
    }),
    outputs: results.map(region),
    frozen: frozen.filter((index) =>
      steps.some(
        (step) =>
          step.memoised === true && step.inputs.some(({ storage }) => storage.outside?.index === index),
      ),
    ),
    prefetchFrom: steps.some((step) => step.prefetchable === true) ? [...frozen, ...prefetchable] : [],
    indexLimits: indexLimitsOf(graph, args),
  };
}

function costOf({ op, attrs, inputs, outputs }: LoweredStep): Cost {
  const signatures = (places: readonly Placement[]): Signature[] =>
    places.map(({ view, dtype }) => ({ shape: view.shape, dtype }));
  const flop = op.cost?.(attrs, signatures(inputs), signatures(outputs)) ?? 0;
  const reads = op.reads?.(attrs, signatures(inputs)) ?? [];
  const elements = ({ view }: Placement): number => Math.min(sizeOf(view.shape), viewEnd(view) - view.offset);
  const touched = [
    ...inputs.map((input, i) => Math.min(elements(input), reads[i] ?? Infinity)),
    ...outputs.map(elements),
  ];
  return { flop, bytes: 4 * touched.reduce((a, b) => a + b, 0) };
}

function indexLimitsOf(graph: GraphView, args: readonly Value[]): IndexLimit[] {
  const limits: IndexLimit[] = [];
  const add = (value: Value, range: IndexRange): void => {
    const { base, view } = graph.resolve(value);
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
