// The plan: a flat list of steps over buffers. Data only; a backend runs it.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { sameView, viewEnd, type View } from '../core/view.ts';
import { GPU_TARGET, type Dispatch, type Region, type Target } from '../graph/launch.ts';
import type { Cost, IndexRange, Placed, Signature, Value } from '../graph/value.ts';
import { GraphView } from './graph_view.ts';
import { lower, type Donate, type LoweredStep } from './lower.ts';
import { colour, shareInPlace, type BufferSpec } from './memory.ts';
import type { Place } from './place.ts';

export interface Step extends Placed {
  /** What it computes, such as `matmul, add(product, in2)`. */
  readonly label: string;
  readonly cost: Cost;
}

export interface Plan {
  readonly buffers: readonly BufferSpec[];
  readonly steps: readonly Step[];
  readonly arguments: readonly Signature[];
  /** Which buffer each argument is in; undefined for arguments that nothing reads. */
  readonly argumentBuffers: readonly (number | undefined)[];
  readonly outputs: readonly Region[];
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
 */
export function makePlan(args: readonly Value[], outputs: readonly Value[], donate: Donate = []): Plan {
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
  const lowered = lower(graph, args, donate);
  const { steps, outputs: results, root } = shareInPlace(lowered);
  const { buffers, bufferOf } = colour(steps, results, root);
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
    })),
    arguments: args.map(({ shape, dtype }) => ({ shape, dtype })),
    argumentBuffers: args.map((_, index) => {
      const buffer = buffers.findIndex((spec) => spec.kind === 'argument' && spec.index === index);
      return buffer < 0 ? undefined : buffer;
    }),
    outputs: results.map(region),
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

/** The kernel launches of a step. */
export function dispatchesOf(step: Step, target: Target = GPU_TARGET): Dispatch[] {
  if (step.op.gpu === undefined) throw new GatewiseError('internal', `plan: ${step.op.name} has no kernel`);
  return step.op.gpu(step, target);
}

/** How often a step launches a kernel. */
export function countDispatches(step: Step): number {
  return dispatchesOf(step).reduce((sum, { uniforms }) => sum + uniforms.length, 0);
}
