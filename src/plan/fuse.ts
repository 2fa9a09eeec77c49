// Fusion: merges elementwise expressions into the op that reads them (elementwise, reduce) or, as an epilogue, into the op whose
// result they read (matmul), within the limits of the target's kernels.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf, type Shape } from '../core/shape.ts';
import { denseView, isDense, reshapeView, transposeView, type View } from '../core/view.ts';
import { constantOf, Expr, substitute } from '../expr/expr.ts';
import { inputName } from '../expr/operands.ts';
import { Value, type Node, type Op } from '../graph/value.ts';
import { compactInputs, elementwiseOp, type ElementwiseAttrs } from '../ops/elementwise.ts';
import { PRODUCT } from '../ops/matmul.ts';
import { constantOp, reduceOp, type ReduceAttrs } from '../ops/structure.ts';
import type { GraphView } from './graph_view.ts';
import { isResolvedByPlan } from './rewrite.ts';
import type { ExpressionLimits, Target } from './target.ts';

/** A tensor that a fused op reads. */
export interface Source {
  readonly base: Value;
  readonly view: View;
  /** Whether this op is the only reader of base. */
  readonly single: boolean;
}

/** An op of the plan before memory assignment: its op and attributes, its inputs and its outputs. */
export interface Fused {
  readonly op: Op;
  readonly attrs: unknown;
  readonly sources: readonly Source[];
  readonly outputs: readonly Value[];
  /** The output's shape as the op sees it, if it differs from the output's own. */
  readonly resultShape?: Shape;
  /** Label in print-outs. */
  readonly label: string;
}

const isOp = <Attrs>(node: Node | undefined, op: Op<Attrs>): node is Node<Attrs> & Node =>
  node?.op.name === op.name;

/** Expressions over sources, into which producers can be fused. */
interface Body {
  readonly exprs: readonly Expr[];
  readonly sources: readonly Source[];
}

/**
 * Every node that is not fused into another, in topological order.
 * @param inPlace Values that will overwrite an argument and so need no binding of their own.
 */
export function fuse(graph: GraphView, inPlace: ReadonlySet<Value>, target: Target): Fused[] {
  const taken = new Set<Node>();
  const fused: Fused[] = [];
  // Visits readers first, so that a producer knows whether its only reader has fused it.
  for (const node of graph.nodes.toReversed()) {
    if (taken.has(node)) continue;
    fused.push(...fuseNode(graph, node, taken, inPlace, target).toReversed());
  }
  return fused.reverse();
}

/** Lowers a node to fused ops, in order of computation. */
function fuseNode(
  graph: GraphView,
  node: Node,
  taken: Set<Node>,
  inPlace: ReadonlySet<Value>,
  target: Target,
): Fused[] {
  const sources = node.inputs.map((value): Source => graph.resolve(value));
  const plain: Fused = {
    op: node.op,
    attrs: node.attrs,
    sources,
    outputs: node.outputs,
    label: node.op.name,
  };
  if (isOp(node, elementwiseOp)) {
    const attrs = node.attrs as ElementwiseAttrs;
    const limits = limitsOf(node.op, target);
    const bound = node.outputs.filter((output) => !inPlace.has(output)).length;
    const walks = (views: readonly View[]): boolean => limits.walks([denseView(attrs.shape), ...views]);
    const body = pull(
      graph,
      { exprs: attrs.exprs, sources },
      node.inputs,
      { ...limits, buffers: limits.buffers - bound, walks },
      taken,
    );
    const label = attrs.label ?? describe(body.exprs);
    const product = attrs.exprs.length === 1 ? fuseEpilogue(graph, node, body, taken, target) : undefined;
    if (product !== undefined) {
      const own = `${product.op.name}, ${describe([product.attrs.epilogue])}`;
      return [{ ...product, outputs: node.outputs, label: attrs.label ?? own }];
    }
    const next: ElementwiseAttrs = { ...attrs, exprs: body.exprs };
    return [{ ...plain, attrs: next, sources: body.sources, label }];
  }
  if (isOp(node, reduceOp)) {
    const attrs = node.attrs as ReduceAttrs;
    const limits = limitsOf(node.op, target);
    const walks = (views: readonly View[]): boolean => limits.walks(views, attrs.axes);
    const pulled = new Set<Node>();
    const start = { exprs: [attrs.prologue], sources };
    const body = pull(graph, start, node.inputs, { ...limits, walks }, pulled);
    // A reduction takes its shape from a source, so an expression of constants alone stays a separate step.
    if (body.sources.length === 0) return reducible(plain, attrs, walks);
    pulled.forEach((producer) => taken.add(producer));
    const [prologue] = body.exprs;
    const label = 'input' in prologue.kind ? attrs.kind : `${attrs.kind} of ${describe([prologue])}`;
    return reducible({ ...plain, sources: body.sources, label }, { ...attrs, prologue }, walks);
  }
  return [plain];
}

function limitsOf(op: Op, target: Target): ExpressionLimits {
  const { expression } = target.kernel(op);
  if (expression === undefined)
    throw new GatewiseError('internal', `plan: the kernel of ${op.name} declares no expression limits`);
  return expression;
}

/** A reduction that the kernel can address: if it cannot address the input, it reads a copy with the reduced axes last. */
function reducible(item: Fused, attrs: ReduceAttrs, walks: (views: readonly View[]) => boolean): Fused[] {
  const { kind, axes, prologue } = attrs;
  // A constant that a kernel reads is written to memory.
  const views = item.sources.map(({ base, view }) =>
    isOp(base.node, constantOp) ? denseView(view.shape) : view,
  );
  if (walks(views)) return [{ ...item, attrs }];
  const { shape } = views[0];
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const copy = new Value({ shape: order.map((axis) => shape[axis]), dtype: 'f32' });
  const copied: ElementwiseAttrs = { exprs: [prologue], shape: copy.shape };
  const last: ReduceAttrs = {
    kind,
    axes: axes.map((_, i) => kept.length + i),
    prologue: Expr.input(inputName(0)),
  };
  return [
    {
      op: elementwiseOp as Op,
      attrs: copied,
      sources: item.sources.map((source) => ({ ...source, view: transposeView(source.view, order) })),
      outputs: [copy],
      label: 'copy',
    },
    {
      ...item,
      attrs: last,
      sources: [{ base: copy, view: denseView(copy.shape), single: true }],
      label: kind,
    },
  ];
}

/** Replaces sources by their producers' expressions, if each has this one reader and the kernel can read all inputs. */
function pull(
  graph: GraphView,
  start: Body,
  values: readonly Value[],
  { inputs: most, buffers, walks }: ExpressionLimits,
  taken: Set<Node>,
): Body {
  let body = start;
  let pending = values.map((value, i) => ({ value, position: i, views: graph.resolve(value).chain }));
  while (pending.length > 0) {
    const [{ value, position, views }, ...rest] = pending;
    pending = rest;
    const { base, single } = graph.resolve(value);
    const producer = base.node;
    if (isOp(producer, constantOp)) {
      body = replace(body, position, Expr.constant((producer.attrs as { value: number }).value), []);
      continue;
    }
    if (!isOp(producer, elementwiseOp) || !single || graph.copied.has(base)) continue;
    const attrs = producer.attrs as ElementwiseAttrs;
    // Through a broadcast, the expression would be recomputed for every copy.
    const repeats = body.sources[position].view.strides.some(
      (stride, axis) => stride === 0 && body.sources[position].view.shape[axis] > 1,
    );
    if (attrs.exprs.length !== 1 || repeats) continue;
    const inner = producer.inputs;
    const sources = inner.map((input) => {
      const from = graph.resolve(input);
      const moved = views.reduce<View | undefined>((v, step) => v && step(v), from.view);
      return moved && { base: from.base, view: moved, single: from.single };
    });
    if (!sources.every((source) => source !== undefined)) continue;
    const next = replace(body, position, attrs.exprs[0], sources);
    const kept = compactSources(next).used;
    if (kept.length > most || new Set(kept.map((source) => source.base)).size > buffers) continue;
    if (kept.length > 0 && !walks(kept.map((source) => source.view))) continue;
    taken.add(producer);
    inner.forEach((input, i) => {
      pending.push({
        value: input,
        position: body.sources.length + i,
        views: [...graph.resolve(input).chain, ...views],
      });
    });
    body = next;
  }
  const { roots, used: kept } = compactSources(body);
  return { exprs: roots, sources: kept };
}

/** Replaces `position` by `expr`, whose own inputs are appended to the sources. */
function replace(body: Body, position: number, expr: Expr, sources: readonly Source[]): Body {
  const moved = new Map(
    sources.map((_, i) => [inputName(i), Expr.input(inputName(body.sources.length + i))]),
  );
  const [inner] = substitute([expr], moved);
  return {
    exprs: substitute(body.exprs, new Map([[inputName(position), inner]])),
    sources: [...body.sources, ...sources],
  };
}

/** Removes unread and duplicate sources; equal views of one base are one source. */
function compactSources(body: Body): { roots: Expr[]; used: Source[] } {
  const unique: Source[] = [];
  const key = ({ view }: Source): string => JSON.stringify([view.shape, view.strides, view.offset]);
  const shared = body.sources.map((source) => {
    const known = unique.find((other) => other.base === source.base && key(other) === key(source));
    if (known === undefined) unique.push(source);
    return known ?? source;
  });
  return compactInputs(body.exprs, shared);
}

/** Fuses the elementwise node as the epilogue of an op whose only reader it is; undefined if that is impossible. */
function fuseEpilogue(
  graph: GraphView,
  node: Node,
  body: Body,
  taken: Set<Node>,
  target: Target,
): (Omit<Fused, 'outputs' | 'label'> & { readonly attrs: { readonly epilogue: Expr } }) | undefined {
  const shape = node.outputs[0].shape;
  for (let i = body.sources.length - 1; i >= 0; i--) {
    const { base, view, single } = body.sources[i];
    const product = base.node;
    if (product === undefined || !single || taken.has(product)) continue;
    const room = isResolvedByPlan(product)
      ? undefined
      : target.kernel(product.op).epilogueInputs?.(product.attrs);
    if (room === undefined) continue;
    if (
      !isDense(view) ||
      view.offset !== 0 ||
      view.shape.join() !== shape.join() ||
      sizeOf(base.shape) !== sizeOf(shape)
    )
      continue;
    const others = body.sources.filter((_, j) => j !== i);
    const extras = others.map((source) => ({ ...source, view: reshapeView(source.view, base.shape) }));
    if (others.length > room || !extras.every((extra): extra is Source => extra.view !== undefined)) continue;
    const names = new Map(
      others.map((source, j) => [
        inputName(body.sources.indexOf(source)),
        Expr.input(inputName(product.inputs.length + j)),
      ]),
    );
    const [epilogue] = substitute(body.exprs, new Map([...names, [inputName(i), Expr.input(PRODUCT)]]));
    taken.add(product);
    const own = product.inputs.map((input): Source => graph.resolve(input));
    return {
      op: product.op,
      attrs: { ...(product.attrs as object), epilogue },
      sources: [...own, ...extras],
      resultShape: base.shape,
    };
  }
  return undefined;
}

/** The root operations of expressions, such as `add, tanh`. */
function describe(exprs: readonly Expr[]): string {
  const text = exprs.map(String).join('; ');
  if (exprs.length === 1 && constantOf(exprs[0]) !== undefined) return `fill ${text}`;
  return text.length <= 48 ? text : `${text.slice(0, 47)}…`;
}
