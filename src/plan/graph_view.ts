// The graph as the planner reads it: the number of uses of each value, and each view resolved to the value that owns its memory.
import { sizeOf } from '../core/shape.ts';
import { denseView, isDense, type View } from '../core/view.ts';
import { isOp, type Node, type Value } from '../graph/value.ts';
import { concatOp } from '../ops/structure.ts';
import type { Graph } from './rewrite.ts';

/** A value as `view` of `base`, which has memory of its own. */
export interface Resolved {
  readonly base: Value;
  readonly view: View;
  /** The view functions that lead from base to the value. They apply to any tensor of base's shape. */
  readonly viewChain: readonly ((view: View) => View | undefined)[];
  /** Whether base and each value between it and this one have a single use. */
  readonly isOnlyUse: boolean;
}

export class GraphView implements Graph {
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
  /** Values of view ops that strides cannot express, such as a reshape of a transpose: they are copies. */
  readonly copied: Set<Value> = new Set();
  readonly #useCounts = new Map<Value, number>();
  readonly #resolved = new Map<Value, Resolved>();

  constructor({ nodes, outputs }: Graph) {
    this.nodes = nodes;
    this.outputs = outputs;
    for (const value of [...nodes.flatMap(({ inputs }) => inputs), ...outputs])
      this.#useCounts.set(value, this.useCount(value) + 1);
  }

  /** How many inputs of nodes and outputs of the graph a value is. */
  useCount(value: Value): number {
    return this.#useCounts.get(value) ?? 0;
  }

  resolve(value: Value): Resolved {
    const cached = this.#resolved.get(value);
    if (cached !== undefined) return cached;
    const resolved = this.#resolve(value);
    this.#resolved.set(value, resolved);
    return resolved;
  }

  /** A concat of pieces that are already contiguous in one base, as a view of that base; undefined if they are not. */
  #resolveContiguous({ shape }: Value, { inputs, attrs }: Node): Resolved | undefined {
    const { axis } = attrs as { readonly axis: number };
    if (shape.some((n, before) => before < axis && n !== 1)) return undefined;
    const pieces = inputs.map((input) => this.resolve(input));
    const [{ base, view: first }] = pieces;
    let end = first.offset;
    for (const { base: other, view } of pieces) {
      if (other !== base || view.offset !== end || !isDense(view)) return undefined;
      end += sizeOf(view.shape);
    }
    // With isOnlyUse false, no producer is fused through the concat, so nothing reads the chain.
    return { base, view: denseView(shape, first.offset), viewChain: [], isOnlyUse: false };
  }

  #resolve(value: Value): Resolved {
    const { node } = value;
    const isOnlyUse = this.useCount(value) === 1;
    const ownMemory: Resolved = { base: value, view: denseView(value.shape), viewChain: [], isOnlyUse };
    if (node === undefined) return ownMemory;
    const inside = node.op.inside?.(node.attrs, node.outputs)[value.index];
    if (inside !== undefined) {
      const base = node.outputs[inside.output];
      return { base, view: inside.view(denseView(base.shape)), viewChain: [inside.view], isOnlyUse: false };
    }
    if (isOp(node, concatOp)) return this.#resolveContiguous(value, node) ?? ownMemory;
    const { view: viewOp, viewOf = () => 0 } = node.op;
    if (viewOp === undefined) return ownMemory;
    const source = viewOf(value.index);
    const input = this.resolve(node.inputs[source]);
    const hasSiblings = node.outputs.some(
      (other) => other !== value && viewOf(other.index) === source && this.useCount(other) > 0,
    );
    const apply = (view: View): View | undefined => viewOp(node.attrs, view, value.index);
    const view = apply(input.view);
    if (view === undefined) {
      this.copied.add(value);
      return ownMemory;
    }
    return {
      base: input.base,
      view,
      viewChain: [...input.viewChain, apply],
      isOnlyUse: isOnlyUse && input.isOnlyUse && !hasSiblings,
    };
  }
}
