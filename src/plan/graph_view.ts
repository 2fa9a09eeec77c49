// The planner's view of the graph: use counts, and views resolved to the values that own the memory.
import { sizeOf } from '../core/shape.ts';
import { denseView, isDense, type View } from '../core/view.ts';
import type { Node, Value } from '../graph/value.ts';
import { concatOp } from '../ops/structure.ts';
import type { Graph } from './rewrite.ts';

/** A resolved value: `view` of `base`, where base owns memory. */
export interface Resolved {
  readonly base: Value;
  readonly view: View;
  /** The views from base to value, each applicable to a view of base's shape. */
  readonly chain: readonly ((view: View) => View | undefined)[];
  /** Whether base and all values between it and this one have one use each. */
  readonly single: boolean;
}

export class GraphView implements Graph {
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
  /** Views that strides cannot express: they are copied. */
  readonly copied: Set<Value> = new Set();
  readonly #uses = new Map<Value, number>();
  readonly #resolved = new Map<Value, Resolved>();

  constructor({ nodes, outputs }: Graph) {
    this.nodes = nodes;
    this.outputs = outputs;
    for (const value of [...nodes.flatMap(({ inputs }) => inputs), ...outputs])
      this.#uses.set(value, this.uses(value) + 1);
  }

  uses(value: Value): number {
    return this.#uses.get(value) ?? 0;
  }

  resolve(value: Value): Resolved {
    const known = this.#resolved.get(value);
    if (known !== undefined) return known;
    const made = this.#resolve(value);
    this.#resolved.set(value, made);
    return made;
  }

  /** Returns a concat whose pieces are already adjacent in memory as one view. */
  #joined({ shape }: Value, { inputs, attrs }: Node): Resolved | undefined {
    const { axis } = attrs as { readonly axis: number };
    if (shape.some((n, before) => before < axis && n !== 1)) return undefined;
    const pieces = inputs.map((input) => this.resolve(input));
    const [{ base, view: first }] = pieces;
    let end = first.offset;
    for (const { base: other, view } of pieces) {
      if (other !== base || view.offset !== end || !isDense(view)) return undefined;
      end += sizeOf(view.shape);
    }
    // `single: false` prevents fusion through the concat, so that nothing reads `chain`.
    return { base, view: denseView(shape, first.offset), chain: [], single: false };
  }

  #resolve(value: Value): Resolved {
    const { node } = value;
    const single = this.uses(value) === 1;
    const own: Resolved = { base: value, view: denseView(value.shape), chain: [], single };
    if (node === undefined) return own;
    const inside = node.op.inside?.(node.attrs, node.outputs)[value.index];
    if (inside !== undefined) {
      const base = node.outputs[inside.output];
      return { base, view: inside.view(denseView(base.shape)), chain: [inside.view], single: false };
    }
    if (node.op.name === concatOp.name) return this.#joined(value, node) ?? own;
    const { view: lookAt, viewOf = () => 0 } = node.op;
    if (lookAt === undefined) return own;
    const source = viewOf(value.index);
    const input = this.resolve(node.inputs[source]);
    const shared = node.outputs.some(
      (other) => other !== value && viewOf(other.index) === source && this.uses(other) > 0,
    );
    const step = (view: View): View | undefined => lookAt(node.attrs, view, value.index);
    const view = step(input.view);
    if (view === undefined) {
      this.copied.add(value);
      return own;
    }
    return {
      base: input.base,
      view,
      chain: [...input.chain, step],
      single: single && input.single && !shared,
    };
  }
}
