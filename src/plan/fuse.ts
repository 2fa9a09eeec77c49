// Fusion: an elementwise expression moves into its only reader (elementwise, reduce) or, as an epilogue, into its producer
// (matmul), within the limits of the target's kernels.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf, type Shape } from '../core/shape.ts';
import { denseView, isDense, reshapeView, sameView, transposeView, type View } from '../core/view.ts';
import { constantOf, Expr, inputName, substitute } from '../expr/expr.ts';
import { Value, type Node, type Op } from '../graph/value.ts';
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
  /** The shape in which the op writes its output, if it differs from the output's shape: that of the fused producer. */
  readonly resultShape?: Shape;
  /** What the node computes, for printed plans. */
  readonly label: string;
}

const isOp = <Attrs>(node: Node | undefined, op: Op<Attrs>): node is Node<Attrs> & Node =>
  node?.op.name === op.name;

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
  const absorbed = new Set<Node>();
  const fused: FusedNode[] = [];
  // Readers come first: when a producer's turn comes, its only reader may have absorbed it.
  for (const node of graph.nodes.toReversed()) {
    if (absorbed.has(node)) continue;
    fused.push(...fuseNode(graph, node, absorbed, inPlace, target).toReversed());
  }
  return fused.reverse();
}

/** A node with the producers that it absorbs, after a copy if its kernel needs one. @param absorbed Receives the producers. */
function fuseNode(
  graph: GraphView,
  node: Node,
  absorbed: Set<Node>,
  inPlace: ReadonlySet<Value>,
  target: Target,
): FusedNode[] {
  const sources = node.inputs.map((value): Source => graph.resolve(value));
  const unfused: FusedNode = {
    op: node.op,
    attrs: node.attrs,
    sources,
    outputs: node.outputs,
    label: node.op.name,
  };
  if (isOp(node, elementwiseOp)) {
    const attrs = node.attrs as ElementwiseAttrs;
    const limits = limitsOf(node.op, target);
    const outputBindings = node.outputs.filter((output) => !inPlace.has(output)).length;
    const canAddress = (views: readonly View[]): boolean =>
      limits.canAddress([denseView(attrs.shape), ...views]);
    const body = absorbProducers(
      graph,
      { exprs: attrs.exprs, sources },
      node.inputs,
      { ...limits, buffers: limits.buffers - outputBindings, canAddress },
      absorbed,
    );
    const withEpilogue =
      attrs.exprs.length === 1 ? fuseEpilogue(graph, node, body, absorbed, target) : undefined;
    if (withEpilogue !== undefined) {
      const label = attrs.label ?? `${withEpilogue.op.name}, ${labelOf([withEpilogue.attrs.epilogue])}`;
      return [{ ...withEpilogue, outputs: node.outputs, label }];
    }
    const label = attrs.label ?? labelOf(body.exprs);
    return [{ ...unfused, attrs: { ...attrs, exprs: body.exprs }, sources: body.sources, label }];
  }
  if (isOp(node, reduceOp)) {
    const attrs = node.attrs as ReduceAttrs;
    const limits = limitsOf(node.op, target);
    const canAddress = (views: readonly View[]): boolean => limits.canAddress(views, attrs.axes);
    const producers = new Set<Node>();
    const start = { exprs: [attrs.prologue], sources };
    const body = absorbProducers(graph, start, node.inputs, { ...limits, canAddress }, producers);
    // A reduction takes its shape from a source, so an expression of constants alone is not fused into it.
    if (body.sources.length === 0) return addressableReduction(unfused, attrs, canAddress);
    producers.forEach((producer) => absorbed.add(producer));
    const [prologue] = body.exprs;
    const label = 'input' in prologue.kind ? attrs.kind : `${attrs.kind} of ${labelOf([prologue])}`;
    const fused = { ...unfused, sources: body.sources, label };
    return addressableReduction(fused, { ...attrs, prologue }, canAddress);
  }
  return [unfused];
}

function limitsOf(op: Op, target: Target): ExpressionLimits {
  const { expression } = target.kernel(op);
  if (expression === undefined)
    throw new GatewiseError('internal', `plan: the kernel of ${op.name} declares no expression limits`);
  return expression;
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
  const otherAxes = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...otherAxes, ...axes];
  const copy = new Value({ shape: order.map((axis) => shape[axis]), dtype: 'f32' });
  const copyAttrs: ElementwiseAttrs = { exprs: [prologue], shape: copy.shape };
  const reduceAttrs: ReduceAttrs = {
    kind,
    axes: axes.map((_, i) => otherAxes.length + i),
    prologue: Expr.input(inputName(0)),
  };
  return [
    {
      op: elementwiseOp as Op,
      attrs: copyAttrs,
      sources: node.sources.map((source) => ({ ...source, view: transposeView(source.view, order) })),
      outputs: [copy],
      label: 'copy',
    },
    {
      ...node,
      attrs: reduceAttrs,
      sources: [{ base: copy, view: denseView(copy.shape), isOnlyUse: true }],
      label: kind,
    },
  ];
}

/**
 * Replaces sources by the elementwise expressions that produce them, as long as a producer has no other reader and the kernel
 * can address the result. @param values The values behind the sources. @param absorbed Receives the producers.
 */
function absorbProducers(
  graph: GraphView,
  start: Body,
  values: readonly Value[],
  limits: ExpressionLimits,
  absorbed: Set<Node>,
): Body {
  let body = start;
  let pending = values.map((value, i) => ({ value, position: i, views: graph.resolve(value).viewChain }));
  while (pending.length > 0) {
    const [{ value, position, views }, ...rest] = pending;
    pending = rest;
    const { base, isOnlyUse } = graph.resolve(value);
    const producer = base.node;
    if (isOp(producer, constantOp)) {
      body = replace(body, position, Expr.constant((producer.attrs as { value: number }).value), []);
      continue;
    }
    if (!isOp(producer, elementwiseOp) || !isOnlyUse || graph.copied.has(base)) continue;
    const attrs = producer.attrs as ElementwiseAttrs;
    // Fused through a broadcast, the expression would be computed once for every repeat.
    const { strides, shape } = body.sources[position].view;
    const isBroadcast = strides.some((stride, axis) => stride === 0 && shape[axis] > 1);
    if (attrs.exprs.length !== 1 || isBroadcast) continue;
    const sources = producer.inputs.map((input) => {
      const source = graph.resolve(input);
      const view = views.reduce<View | undefined>((v, apply) => v && apply(v), source.view);
      return view && { ...source, view };
    });
    if (!sources.every((source) => source !== undefined)) continue;
    const fused = replace(body, position, attrs.exprs[0], sources);
    const { used } = compactSources(fused);
    if (used.length > limits.inputs || new Set(used.map((source) => source.base)).size > limits.buffers)
      continue;
    if (used.length > 0 && !limits.canAddress(used.map((source) => source.view))) continue;
    absorbed.add(producer);
    producer.inputs.forEach((input, i) => {
      pending.push({
        value: input,
        position: body.sources.length + i,
        views: [...graph.resolve(input).viewChain, ...views],
      });
    });
    body = fused;
  }
  const { roots, used } = compactSources(body);
  return { exprs: roots, sources: used };
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
function compactSources(body: Body): { roots: Expr[]; used: Source[] } {
  const unique: Source[] = [];
  const deduplicated = body.sources.map((source) => {
    const equal = unique.find(({ base, view }) => base === source.base && sameView(view, source.view));
    if (equal === undefined) unique.push(source);
    return equal ?? source;
  });
  return compactInputs(body.exprs, deduplicated);
}

/** The elementwise node as the epilogue of a producer that only it reads; undefined if there is no such producer. */
function fuseEpilogue(
  graph: GraphView,
  node: Node,
  body: Body,
  absorbed: Set<Node>,
  target: Target,
): (Omit<FusedNode, 'outputs' | 'label'> & { readonly attrs: { readonly epilogue: Expr } }) | undefined {
  const shape = node.outputs[0].shape;
  for (let i = body.sources.length - 1; i >= 0; i--) {
    const { base, view, isOnlyUse } = body.sources[i];
    const producer = base.node;
    if (producer === undefined || !isOnlyUse || absorbed.has(producer)) continue;
    const maxExtras = isResolvedByPlan(producer)
      ? undefined
      : target.kernel(producer.op).epilogueInputs?.(producer.attrs);
    if (maxExtras === undefined) continue;
    if (
      !isDense(view) ||
      view.offset !== 0 ||
      view.shape.join() !== shape.join() ||
      sizeOf(base.shape) !== sizeOf(shape)
    )
      continue;
    const others = body.sources.filter((_, j) => j !== i);
    const extras = others.map((source) => ({ ...source, view: reshapeView(source.view, base.shape) }));
    if (others.length > maxExtras || !extras.every((extra): extra is Source => extra.view !== undefined))
      continue;
    const names = new Map(
      others.map((source, j) => [
        inputName(body.sources.indexOf(source)),
        Expr.input(inputName(producer.inputs.length + j)),
      ]),
    );
    const [epilogue] = substitute(body.exprs, new Map([...names, [inputName(i), Expr.input(PRODUCT)]]));
    absorbed.add(producer);
    return {
      op: producer.op,
      attrs: { ...(producer.attrs as object), epilogue },
      sources: [...producer.inputs.map((input): Source => graph.resolve(input)), ...extras],
      resultShape: base.shape,
    };
  }
  return undefined;
}

/** Expressions as text of at most 48 characters, such as `tanh(add(in0, in1))`. */
function labelOf(exprs: readonly Expr[]): string {
  const text = exprs.map(String).join('; ');
  if (exprs.length === 1 && constantOf(exprs[0]) !== undefined) return `fill ${text}`;
  return text.length <= 48 ? text : `${text.slice(0, 47)}…`;
}
