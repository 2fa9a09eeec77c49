// Fusion: an elementwise expression moves into its only reader (elementwise, reduce) or, as an epilogue, into its producer
// (matmul), within the limits of the target's kernels.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf, type Shape } from '../core/shape.ts';
import { denseView, reshapeView, sameView, transposeView, type View } from '../core/view.ts';
import { constantOf, Expr, inputName, substitute } from '../expr/expr.ts';
import { isOp, type Node, type Op, Value } from '../graph/value.ts';
import { compactInputs, elementwiseOp, type ElementwiseAttrs } from '../ops/elementwise.ts';
import { PRODUCT } from '../ops/matmul.ts';
import { constantOp, reduceOp, type ReduceAttrs } from '../ops/structure.ts';
import type { GraphView, Resolved } from './graph_view.ts';
import { isResolvedByPlan } from './rewrite.ts';
import type { ExpressionLimits, Target } from './target.ts';

/** A tensor that a fused node reads: `view` of `base`, which has memory of its own. */
export type Source = Omit<Resolved, 'viewChain'>;

/** A node after fusion, before its operands have memory. */
export interface FusedNode {
  readonly op: Op;
  readonly attrs: unknown;
  readonly sources: readonly Source[];
  readonly outputs: readonly Value[];
  /** The shape in which the op, a fused producer, writes its output, if it differs from the output's shape. */
  readonly resultShape?: Shape;
  /** What the node computes, for printed plans. */
  readonly label: string;
}

/** Expressions over sources, `in0`…, into which the producers of the sources can be fused. */
interface Body {
  readonly exprs: readonly Expr[];
  readonly sources: readonly Source[];
}

/**
 * The nodes that are not fused into another one, producers before readers.
 * @param inPlace Values that overwrite an argument, so that they take no binding of their own.
 */
export function fuse(graph: GraphView, inPlace: ReadonlySet<Value>, target: Target): FusedNode[] {
  return new Fusion(graph, inPlace, target).run();
}

class Fusion {
  readonly #graph: GraphView;
  readonly #inPlace: ReadonlySet<Value>;
  readonly #target: Target;
  readonly #absorbed = new Set<Node>();

  constructor(graph: GraphView, inPlace: ReadonlySet<Value>, target: Target) {
    this.#graph = graph;
    this.#inPlace = inPlace;
    this.#target = target;
  }

  run(): FusedNode[] {
    const fused: FusedNode[] = [];
    // Readers come first: when a producer's turn comes, its only reader may have absorbed it.
    for (const node of this.#graph.nodes.toReversed())
      if (!this.#absorbed.has(node)) fused.push(...this.#fuse(node).toReversed());
    return fused.reverse();
  }

  /** A node with the producers that it absorbs, after a copy if its kernel needs one. */
  #fuse(node: Node): FusedNode[] {
    if (isOp(node, elementwiseOp)) return [this.#fuseElementwise(node)];
    return isOp(node, reduceOp) ? this.#fuseReduction(node) : [this.#unfused(node)];
  }

  #unfused({ op, attrs, inputs, outputs }: Node): FusedNode {
    const sources = inputs.map((value) => this.#graph.resolve(value));
    return { op, attrs, sources, outputs, label: op.name };
  }

  #fuseElementwise(node: Node<ElementwiseAttrs> & Node): FusedNode {
    const unfused = this.#unfused(node);
    const { attrs, outputs } = node;
    const limits = this.#limitsOf(node.op);
    const outputBindings = outputs.filter((output) => !this.#inPlace.has(output)).length;
    const { body, producers } = this.#absorb({ exprs: attrs.exprs, sources: unfused.sources }, node.inputs, {
      ...limits,
      buffers: limits.buffers - outputBindings,
      canAddress: (views) => limits.canAddress([denseView(attrs.shape), ...views]),
    });
    producers.forEach((producer) => this.#absorbed.add(producer));
    const fused = attrs.exprs.length === 1 ? this.#fuseEpilogue(outputs, body) : undefined;
    if (fused !== undefined) return attrs.label === undefined ? fused : { ...fused, label: attrs.label };
    const label = attrs.label ?? labelOf(body.exprs);
    return { ...unfused, attrs: { ...attrs, exprs: body.exprs }, sources: body.sources, label };
  }

  #fuseReduction(node: Node<ReduceAttrs> & Node): FusedNode[] {
    const unfused = this.#unfused(node);
    const { attrs } = node;
    const limits = this.#limitsOf(node.op);
    const canAddress = (views: readonly View[]): boolean => limits.canAddress(views, attrs.axes);
    const start = { exprs: [attrs.prologue], sources: unfused.sources };
    const { body, producers } = this.#absorb(start, node.inputs, { ...limits, canAddress });
    // A reduction takes its shape from a source, so an expression of constants alone is not fused into it.
    if (body.sources.length === 0) return addressableReduction(unfused, attrs, canAddress);
    producers.forEach((producer) => this.#absorbed.add(producer));
    const [prologue] = body.exprs;
    const label = 'input' in prologue.kind ? attrs.kind : `${attrs.kind} of ${labelOf([prologue])}`;
    const fused = { ...unfused, sources: body.sources, label };
    return addressableReduction(fused, { ...attrs, prologue }, canAddress);
  }

  #limitsOf(op: Op): ExpressionLimits {
    const { expression } = this.#target.kernel(op);
    if (expression === undefined)
      throw new GatewiseError('internal', `plan: the kernel of ${op.name} declares no expression limits`);
    return expression;
  }

  /**
   * Replaces sources by the elementwise expressions that produce them, as long as a producer has no other reader and the
   * kernel can address the result. @param values The values that the sources stand for.
   */
  #absorb(start: Body, values: readonly Value[], limits: ExpressionLimits) {
    const graph = this.#graph;
    const producers = new Set<Node>();
    let body = start;
    const pending = values.map((value, position) => ({
      value,
      position,
      views: graph.resolve(value).viewChain,
    }));
    // The inputs of an absorbed producer join the list.
    for (let next = 0; next < pending.length; next++) {
      const { value, position, views } = pending[next];
      const { base, isOnlyUse } = graph.resolve(value);
      const producer = base.node;
      if (isOp(producer, constantOp)) {
        body = replace(body, position, Expr.constant(producer.attrs.value), []);
        continue;
      }
      if (!isOp(producer, elementwiseOp) || !isOnlyUse || graph.copied.has(base)) continue;
      // Fused through a broadcast, the expression would be computed once for every repeat.
      const { strides, shape } = body.sources[position].view;
      const isBroadcast = strides.some((stride, axis) => stride === 0 && shape[axis] > 1);
      if (producer.attrs.exprs.length !== 1 || isBroadcast) continue;
      const sources = producer.inputs.map((input) => {
        const source = graph.resolve(input);
        const view = views.reduce<View | undefined>((v, apply) => v && apply(v), source.view);
        return view && { ...source, view };
      });
      if (!sources.every((source) => source !== undefined)) continue;
      const fused = replace(body, position, producer.attrs.exprs[0], sources);
      const { sources: used } = compactSources(fused);
      if (used.length > limits.inputs || new Set(used.map((source) => source.base)).size > limits.buffers)
        continue;
      if (used.length > 0 && !limits.canAddress(used.map((source) => source.view))) continue;
      producers.add(producer);
      producer.inputs.forEach((input, i) => {
        pending.push({
          value: input,
          position: body.sources.length + i,
          views: [...graph.resolve(input).viewChain, ...views],
        });
      });
      body = fused;
    }
    return { body: compactSources(body), producers };
  }

  /** A body as the epilogue of a producer that only it reads; undefined if there is no such producer. */
  #fuseEpilogue(outputs: readonly Value[], { exprs, sources }: Body): FusedNode | undefined {
    const [{ shape }] = outputs;
    for (let i = sources.length - 1; i >= 0; i--) {
      const { base, view, isOnlyUse } = sources[i];
      const producer = base.node;
      if (producer === undefined || !isOnlyUse || this.#absorbed.has(producer)) continue;
      if (isResolvedByPlan(producer)) continue;
      const maxExtras = this.#target.kernel(producer.op).epilogueInputs?.(producer.attrs);
      const isWhole = sameView(view, denseView(shape)) && sizeOf(base.shape) === sizeOf(shape);
      if (maxExtras === undefined || !isWhole) continue;
      const others = sources.filter((_, j) => j !== i);
      const extras = others.map((source) => ({ ...source, view: reshapeView(source.view, base.shape) }));
      if (others.length > maxExtras || !extras.every((extra): extra is Source => extra.view !== undefined))
        continue;
      const names = others.map((source, j): [string, Expr] => [
        inputName(sources.indexOf(source)),
        Expr.input(inputName(producer.inputs.length + j)),
      ]);
      const [epilogue] = substitute(exprs, new Map([...names, [inputName(i), Expr.input(PRODUCT)]]));
      this.#absorbed.add(producer);
      return {
        op: producer.op,
        attrs: { ...(producer.attrs as object), epilogue },
        sources: [...producer.inputs.map((input) => this.#graph.resolve(input)), ...extras],
        outputs,
        resultShape: base.shape,
        label: `${producer.op.name}, ${labelOf([epilogue])}`,
      };
    }
    return undefined;
  }
}

/** A reduction that its kernel can address: where the views do not allow it, a copy with the reduced axes last comes first. */
function addressableReduction(
  node: FusedNode,
  attrs: ReduceAttrs,
  canAddress: (views: readonly View[]) => boolean,
): FusedNode[] {
  const { kind, axes, prologue } = attrs;
  // A constant source becomes a dense tensor, since a kernel reads it.
  const views = node.sources.map(({ base, view }) =>
    isOp(base.node, constantOp) ? denseView(view.shape) : view,
  );
  if (canAddress(views)) return [{ ...node, attrs }];
  const { shape } = views[0];
  const otherAxes = [...shape.keys()].filter((axis) => !axes.includes(axis));
  const order = [...otherAxes, ...axes];
  const copy = new Value({ shape: order.map((axis) => shape[axis]), dtype: 'f32' });
  const copyAttrs: ElementwiseAttrs = { exprs: [prologue], shape: copy.shape };
  const lastAxes = axes.map((_, i) => otherAxes.length + i);
  const reduceAttrs: ReduceAttrs = { kind, axes: lastAxes, prologue: Expr.input(inputName(0)) };
  const sources = node.sources.map((source) => ({ ...source, view: transposeView(source.view, order) }));
  const copied = { base: copy, view: denseView(copy.shape), isOnlyUse: true };
  return [
    { op: elementwiseOp as Op, attrs: copyAttrs, sources, outputs: [copy], label: 'copy' },
    { ...node, attrs: reduceAttrs, sources: [copied], label: kind },
  ];
}

/** The body with the source at `position` replaced by `expr`, whose inputs are appended to the sources. */
function replace(body: Body, position: number, expr: Expr, sources: readonly Source[]): Body {
  const renamed = new Map(
    sources.map((_, i) => [inputName(i), Expr.input(inputName(body.sources.length + i))]),
  );
  const [inner] = substitute([expr], renamed);
  return {
    exprs: substitute(body.exprs, new Map([[inputName(position), inner]])),
    sources: [...body.sources, ...sources],
  };
}

/** The body over the sources that it reads, each once: equal views of one base are one source. */
function compactSources({ exprs, sources }: Body): Body {
  const unique: Source[] = [];
  const deduplicated = sources.map((source) => {
    const equal = unique.find(({ base, view }) => base === source.base && sameView(view, source.view));
    if (equal === undefined) unique.push(source);
    return equal ?? source;
  });
  const { roots, used } = compactInputs(exprs, deduplicated);
  return { exprs: roots, sources: used };
}

/** Expressions as text of at most 48 characters, such as `tanh(add(in0, in1))`. */
function labelOf(exprs: readonly Expr[]): string {
  const text = exprs.map(String).join('; ');
  if (exprs.length === 1 && constantOf(exprs[0]) !== undefined) return `fill ${text}`;
  return text.length <= 48 ? text : `${text.slice(0, 47)}…`;
}
