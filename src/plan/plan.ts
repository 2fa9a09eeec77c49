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
  /** Label of the computation, such as `matmul, add(product, in2)`. */
  readonly label: string;
  readonly cost: Cost;
  /** Depends on frozen arguments alone: runs first of all and again when one changes. */
  readonly memoised: boolean;
  /** Depends on frozen and prefetchable arguments alone: can run before the others are known. */
  readonly prefetchable: boolean;
}

export interface Plan {
  readonly buffers: readonly BufferSpec[];
  readonly steps: readonly Step[];
  readonly arguments: readonly Signature[];
  /** The buffer of each argument; undefined for unread arguments. */
  readonly argumentBuffers: readonly (number | undefined)[];
  readonly outputs: readonly Region[];
  /** Frozen arguments that memoised steps read. */
  readonly frozen: readonly number[];
  /** Arguments that prefetchable steps depend on; empty without such steps. */
  readonly prefetchFrom: readonly number[];
  /** Index inputs, once per distinct view. */
  readonly indexLimits: readonly IndexLimit[];
}

/** A part of an argument that is read as indices or lengths, and their valid range. */
export interface IndexLimit extends IndexRange {
  readonly argument: number;
  /** Which elements of the argument. */
  readonly view: View;
}

export interface PlanOptions {
  /** The backend's kernels. */
  readonly target: Target;
  /** For each output, the donated argument whose memory it replaces, so that state is updated in place. */
  readonly donate?: Donate;
  /** Arguments that rarely change, such as weights during inference. Steps that depend on nothing else are memoised. */
  readonly frozen?: readonly number[];
  /** Arguments known before the others of a run. Steps that depend on these and frozen ones can be prefetched. */
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
      // The op copies or assembles its inputs, so all their elements count even if only some are read later.
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
