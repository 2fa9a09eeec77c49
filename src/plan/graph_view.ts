// The graph as the plan sees it: equal nodes merged, uses counted, views resolved to what they look at.
import { Expr } from '../expr/expr.ts';
import { sizeOf } from '../core/shape.ts';
import { denseView, isDense, type View } from '../core/view.ts';
import { nodesOf, type Node, type Value } from '../graph/value.ts';
import { concatOp } from '../ops/structure.ts';

/** What a value is: `view` of `base`, where base has memory of its own. */
export interface Resolved {
  readonly base: Value;
  readonly view: View;
  /** The views between base and value, to be applied to something of base's shape. */
  readonly chain: readonly ((view: View) => View | undefined)[];
  /** Base and all values on the way are used once. */
  readonly single: boolean;
}

export class GraphView {
  /** In an order in which each can be computed. */
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
  /** Values that look at something in a way no view can say: they are copied. */
  readonly copied: Set<Value> = new Set();
  readonly #canonical = new Map<Value, Value>();
  readonly #uses = new Map<Value, number>();
  readonly #resolved = new Map<Value, Resolved>();

  constructor(outputs: readonly Value[]) {
    const kept = this.#mergeEqual(nodesOf(outputs));
    this.outputs = outputs.map((output) => this.canonical(output));
    const read = new Set([...kept.flatMap((node) => this.inputsOf(node)), ...this.outputs]);
    const leaner = kept.map((node) => this.#lean(node, read));
    this.outputs = this.outputs.map((output) => this.canonical(output));
    this.nodes = leaner.every((node, i) => node === kept[i]) ? kept : this.#needed(leaner);
    for (const node of this.nodes) for (const input of this.inputsOf(node)) this.#use(input);
    for (const output of this.outputs) this.#use(output);
  }

  /** A node, or its lean form where nobody reads what that does without. */
  #lean(node: Node, read: ReadonlySet<Value>): Node {
    const { lean } = node.op;
    if (lean === undefined || lean.without.some((output) => read.has(node.outputs[output]))) return node;
    const made = lean.make(node);
    node.outputs.forEach((output, i) => this.#canonical.set(output, made.outputs[i]));
    return made;
  }

  /** Nodes without those that only what was left out had needed. */
  #needed(nodes: readonly Node[]): Node[] {
    const needed = new Set(this.outputs.flatMap(({ node }) => node ?? []));
    for (const node of nodes.toReversed()) {
      if (!needed.has(node)) continue;
      for (const input of this.inputsOf(node)) if (input.node !== undefined) needed.add(input.node);
    }
    return nodes.filter((node) => needed.has(node));
  }

  canonical(value: Value): Value {
    const same = this.#canonical.get(value);
    return same === undefined ? value : this.canonical(same);
  }

  inputsOf(node: Node): Value[] {
    return node.inputs.map((input) => this.canonical(input));
  }

  uses(value: Value): number {
    return this.#uses.get(value) ?? 0;
  }

  #use(value: Value): void {
    this.#uses.set(value, this.uses(value) + 1);
  }

  /** Nodes of one op, one set of attributes and the same inputs compute the same. */
  #mergeEqual(nodes: readonly Node[]): Node[] {
    const ids = new Map<object, number>();
    const idOf = (item: object): number => {
      const id = ids.get(item) ?? ids.size;
      ids.set(item, id);
      return id;
    };
    const isOpaque = (item: unknown): item is object =>
      item instanceof Expr || (typeof item === 'object' && item !== null && 'apply' in item);
    // JSON has no word for these, and different numbers must not become one.
    const isUnwritable = (item: unknown): item is number =>
      typeof item === 'number' && (!Number.isFinite(item) || Object.is(item, -0));
    const written = (item: unknown): unknown => {
      if (isOpaque(item)) return `id ${idOf(item)}`;
      return isUnwritable(item) ? `number ${Object.is(item, -0) ? '-0' : item}` : item;
    };
    const first = new Map<string, Node>();
    return nodes.filter((node) => {
      const attrs = JSON.stringify(node.attrs, (_, item: unknown) => written(item));
      const key = `${node.op.name} ${attrs} ${this.inputsOf(node).map(idOf).join()}`;
      const same = first.get(key);
      if (same === undefined) {
        first.set(key, node);
        return true;
      }
      node.outputs.forEach((output, i) => this.#canonical.set(output, same.outputs[i]));
      return false;
    });
  }

  resolve(value: Value): Resolved {
    const known = this.#resolved.get(value);
    if (known !== undefined) return known;
    const made = this.#resolve(value);
    this.#resolved.set(value, made);
    return made;
  }

  /** A concat of what lies side by side already, as a view of all of it. */
  #joined({ shape }: Value, node: Node): Resolved | undefined {
    const { axis } = node.attrs as { readonly axis: number };
    if (shape.some((n, before) => before < axis && n !== 1)) return undefined;
    const pieces = this.inputsOf(node).map((input) => this.resolve(input));
    const [{ base, view: first }] = pieces;
    let end = first.offset;
    for (const { base: other, view } of pieces) {
      if (other !== base || view.offset !== end || !isDense(view)) return undefined;
      end += sizeOf(view.shape);
    }
    // Not used once: nothing is pulled through it, so that no chain is asked for.
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
    const input = this.resolve(this.canonical(node.inputs[source]));
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
