// Makes the plan of a traced function for one target: a list of steps over buffers, as data that a backend prepares and runs.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { sameView, viewEnd, type View } from '../core/view.ts';
import type { Cost, IndexRange, Signature, Value } from '../graph/value.ts';
import { GraphView } from './graph_view.ts';
import { joinCopies } from './join_copies.ts';
import { lower, type Donate, type LoweredStep } from './lower.ts';
import { memoise } from './memoise.ts';
import { assignBuffers, shareInPlace, type BufferSpec } from './memory.ts';
import type { Placement } from './placement.ts';
import { optimise } from './rewrite.ts';
import type { Placed, Region, Target } from './target.ts';

/** One application of a kernel. */
export interface Step extends Placed {
  /** What the step computes, such as `matmul, add(product, in2)`. */
  readonly label: string;
  readonly cost: Cost;
  /** The step depends on frozen arguments alone: it runs in the first run, and again after one of them has changed. */
  readonly memoised: boolean;
}

export interface Plan {
  readonly buffers: readonly BufferSpec[];
  readonly steps: readonly Step[];
  readonly arguments: readonly (Signature & Named)[];
  /** The buffer of each argument; undefined for an argument that no step reads. */
  readonly argumentBuffers: readonly (number | undefined)[];
  readonly outputs: readonly (Region & Named)[];
  /** Frozen arguments that memoised steps read. */
  readonly frozen: readonly number[];
  /** The parts of arguments that steps read as indices or lengths, each with its valid range. */
  readonly indexLimits: readonly IndexLimit[];
}

/** The name of an argument or an output: its place in the nested arguments or results, such as `states.1.h`. */
interface Named {
  readonly name: string;
}

/** A part of an argument that a step reads as indices or lengths, and the valid range of its elements. */
export interface IndexLimit extends IndexRange {
  readonly argument: number;
  /** The part of the argument. */
  readonly view: View;
}

export interface PlanOptions {
  /** The backend that the plan is for. */
  readonly target: Target;
  /** For each output, the index of the argument whose memory it takes over: such an argument is updated in place. */
  readonly donate?: Donate;
  /** Arguments that rarely change, such as weights during inference. Steps that depend on nothing else are memoised. */
  readonly frozen?: readonly number[];
  /** The names of arguments and outputs; `arg0`, `out0` and so on unless given. */
  readonly names?: { readonly args: readonly string[]; readonly outputs: readonly string[] };
}

/**
 * Plans the computation of `outputs` from `args`.
 * @throws GatewiseError `argument` for a traced value that is not one of `args`, `unsupported` for an op without a kernel.
 */
export function makePlan(
  args: readonly Value[],
  outputs: readonly Value[],
  { target, donate = [], frozen = [], names }: PlanOptions,
): Plan {
  const graph = new GraphView(optimise(outputs, target));
  const unbound = [...graph.nodes.flatMap(({ inputs }) => inputs), ...outputs].find(
    (value) => value.node === undefined && !args.includes(value),
  );
  if (unbound !== undefined)
    throw new GatewiseError(
      'argument',
      `compile: the function uses a traced value of shape [${unbound.shape.join(', ')}] that is not one of its arguments; pass it in`,
    );
  const memoised = memoise(lower(graph, args, donate, target), frozen);
  const joined = { ...memoised, steps: joinCopies(memoised.steps, target) };
  const { steps, outputs: results, root } = shareInPlace(joined);
  const { buffers, bufferOf } = assignBuffers(steps, results, root, joined.retainedStorages);
  const region = ({ storage, view }: Placement): Region => ({
    buffer: bufferOf(storage),
    view,
    dtype: storage.dtype,
  });
  const read = steps.flatMap((step) => (step.memoised === true ? step.inputs : []));
  return {
    buffers,
    steps: steps.map((step): Step => {
      const { op, attrs, label, memoised = false, inputs, outputs: written, scratch } = step;
      const regions = (placements: readonly Placement[]): Region[] => placements.map(region);
      const cost = costOf(step);
      return {
        op,
        attrs,
        label,
        memoised,
        cost,
        inputs: regions(inputs),
        outputs: regions(written),
        scratch: regions(scratch),
      };
    }),
    arguments: args.map(({ shape, dtype }, i) => ({ name: names?.args[i] ?? `arg${i}`, shape, dtype })),
    argumentBuffers: args.map((_, index) => {
      const buffer = buffers.findIndex((spec) => spec.kind === 'argument' && spec.index === index);
      return buffer < 0 ? undefined : buffer;
    }),
    outputs: results.map((result, i) =>
      Object.assign(region(result), { name: names?.outputs[i] ?? `out${i}` }),
    ),
    frozen: frozen.filter((index) => read.some(({ storage }) => storage.external?.index === index)),
    indexLimits: indexLimitsOf(graph, args),
  };
}

function costOf({ op, attrs, inputs, outputs }: LoweredStep): Cost {
  const signatures = (placements: readonly Placement[]): Signature[] =>
    placements.map(({ view, storage }) => ({ shape: view.shape, dtype: storage.dtype }));
  const flop = op.cost?.(attrs, signatures(inputs), signatures(outputs)) ?? 0;
  const reads = op.reads?.(attrs, signatures(inputs)) ?? [];
  // A broadcast view repeats elements, each of which counts once.
  const elements = ({ view }: Placement): number => Math.min(sizeOf(view.shape), viewEnd(view) - view.offset);
  const counts = [
    ...inputs.map((input, i) => Math.min(elements(input), reads[i] ?? Infinity)),
    ...outputs.map(elements),
  ];
  return { flop, bytes: 4 * counts.reduce((a, b) => a + b, 0) };
}

/** The index limits of all nodes, traced back to arguments; of equal views the tighter limit counts. */
function indexLimitsOf(graph: GraphView, args: readonly Value[]): IndexLimit[] {
  const limits: IndexLimit[] = [];
  const add = (value: Value, range: IndexRange): void => {
    const { base, view } = graph.resolve(value);
    if (base.node !== undefined) {
      // A copy or a concat: the limit holds for all elements of its inputs, even if a part of the result is read.
      for (const input of base.node.inputs) add(input, range);
      return;
    }
    const argument = args.indexOf(base);
    const existing = limits.findIndex(
      (other) =>
        other.argument === argument &&
        other.kind === range.kind &&
        other.except === range.except &&
        sameView(other.view, view),
    );
    const limit = { argument, view, ...range };
    if (existing < 0) limits.push(limit);
    else limits[existing] = { ...limit, limit: Math.min(range.limit, limits[existing].limit) };
  };
  for (const node of graph.nodes) {
    for (const { input, ...range } of node.op.indexLimits?.(node.attrs, node.inputs, node.outputs) ?? [])
      add(node.inputs[input], range);
  }
  return limits;
}
