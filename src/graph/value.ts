// The graph: values, the nodes that produce them, and op declarations. It is a pure data structure without computation or
// devices. One object per op has the shape rule, views and aliasing, the gradient, the cost and the tolerance; shape checks,
// the planner, autodiff, conformance tests and tables all read these objects. Each backend's kernels implement the ops.
import { GatewiseError, show } from '../core/errors.ts';
import { checkShape, sameShape, type DType, type Shape } from '../core/shape.ts';
import type { View } from '../core/view.ts';
import type { Arith, ScalarOpName } from '../expr/arith.ts';

/** The shape and dtype of a tensor. */
export interface Signature {
  readonly shape: Shape;
  readonly dtype: DType;
}

let nextOrder = 0;

/** One application of an op. */
export class Node<Attrs = unknown> {
  /** Nodes run in creation order, so the operands of a gradient are used soon after they are computed. */
  readonly order: number = nextOrder++;
  readonly op: Op<Attrs>;
  readonly attrs: Attrs;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];

  constructor(op: Op<Attrs>, attrs: Attrs, inputs: readonly Value[], signatures: readonly Signature[]) {
    this.op = op;
    this.attrs = attrs;
    this.inputs = inputs;
    this.outputs = signatures.map((signature, index) => new Value(signature, this as Node, index));
  }
}

/** What stands for a tensor while a function is traced: a shape, a dtype and its producer, and no numbers. */
export class Value implements Arith<Value> {
  readonly shape: Shape;
  readonly dtype: DType;
  /** The producer; undefined for an argument of the traced function. */
  readonly node: Node | undefined;
  /** Which output of the node this is. */
  readonly index: number;

  constructor({ shape, dtype }: Signature, node?: Node, index = 0) {
    checkShape(node?.op.name ?? 'argument', shape);
    this.shape = shape;
    this.dtype = dtype;
    this.node = node;
    this.index = index;
  }

  /** Arithmetic on tensors: element by element, with NumPy's broadcasting. */
  apply(op: ScalarOpName, args: readonly (Value | number)[]): Value {
    return tensorArithmetic.apply(op, args);
  }
}

/** The function that creates nodes for arithmetic on values. The elementwise op sets it, since this file cannot import ops. */
export const tensorArithmetic: { apply: (op: ScalarOpName, args: readonly (Value | number)[]) => Value } = {
  apply: (op) => {
    throw new GatewiseError('internal', `${op}: the elementwise op is not loaded`);
  },
};

/** Throws unless `value` is a traced value of `dtype` and, if given, of `shape`. */
export function expectValue(
  what: string,
  value: unknown,
  dtype: DType,
  shape?: Shape,
): asserts value is Value {
  if (!(value instanceof Value))
    throw new GatewiseError('argument', `${what}: expected a traced value, got ${show(value)}`);
  if (value.dtype !== dtype)
    throw new GatewiseError('dtype', `${what}: expected ${dtype}, got ${value.dtype}`);
  if (shape !== undefined && !sameShape(value.shape, shape))
    throw new GatewiseError('shape', `${what}: expected shape ${show(shape)}, got ${show(value.shape)}`);
}

/**
 * Every node that `roots` depend on, each once, in creation order: producers before consumers.
 * @param until Values taken as given: their producers are excluded.
 */
export function nodesOf(roots: readonly Value[], until: ReadonlySet<Value> = new Set()): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  // Uses an explicit stack, since graphs are deeper than the call stack allows.
  const stack: { node: Node; next: number }[] = [];
  const push = (value: Value): void => {
    const { node } = value;
    if (node === undefined || seen.has(node) || until.has(value)) return;
    seen.add(node);
    stack.push({ node, next: 0 });
  };
  for (const root of roots) {
    push(root);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top.next < top.node.inputs.length) push(top.node.inputs[top.next++]);
      else {
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order.sort((a, b) => a.order - b.order);
}

/** Queries that a decomposition may make about the plan's target. */
export interface TargetLimits {
  /** The most bytes of one tensor of a loop, so that it can be bound. */
  readonly tensorBytes: number;
  /** Whether stacked recurrent layers should run as a wavefront, where each launch computes a step of all layers. */
  readonly prefersWavefront: (step: WavefrontStep) => boolean;
}

/** How many inputs and outputs one elementwise launch may have. */
export interface ExpressionSize {
  readonly inputs: number;
  readonly outputs: number;
}

/** What `split` can ask about a node. */
export interface SplitUse {
  /** Whether an input is known before the others. */
  readonly isKnown: (input: number) => boolean;
  /** Whether a node or the caller reads this output. */
  readonly reads: (output: number) => boolean;
  readonly limits: ExpressionSize;
}

/** The cost of one backward step of stacked recurrent layers; backward products are larger than forward ones. */
export interface WavefrontStep {
  readonly flop: number;
  /** Bytes of weights that a step of all layers reads, and that a step of a single layer reads. */
  readonly bytes: number;
  readonly layerBytes: number;
}

export interface Cost {
  readonly flop: number;
  /** Bytes read and written, each tensor once. */
  readonly bytes: number;
}

/** An allowed difference: absolute · max(1, max |expected|) + relative · |expected|. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** The declaration of an op. */
export interface Op<Attrs = unknown> {
  readonly name: string;
  /** Description in the table of ops. */
  readonly summary: string;
  /** Signatures of the outputs. The op's only shape rule; throws a GatewiseError. */
  readonly infer: (attrs: Attrs, inputs: readonly Signature[]) => Signature[];
  /** Of view ops: the view of an output, or undefined if it needs a copy. */
  readonly view?: (attrs: Attrs, input: View, output: number) => View | undefined;
  /** Index of the input that an output of a view op views; 0 by default. */
  readonly viewOf?: (output: number) => number;
  /** Of composite ops: the outputs in terms of other ops, traced at plan time. */
  readonly decompose?: (attrs: Attrs, inputs: readonly Value[], limits: TargetLimits) => readonly Value[];
  /**
   * For partial evaluation: the outputs in a form in which nodes of their own compute what depends on known inputs alone; undefined
   * if there is nothing such.
   */
  readonly split?: (node: Node<Attrs>, use: SplitUse) => readonly Value[] | undefined;
  /** Whether each output equals the input that it views, and only the gradients differ. */
  readonly isIdentity?: boolean;
  /** Whether the planner resolves the op by copies, fills or nothing at all, so that no backend has a kernel for it. */
  readonly isStructural?: boolean;
  /** Outputs that are part of another output: which one, and their view of it. */
  readonly inside?: (attrs: Attrs, outputs: readonly Signature[]) => readonly (Inside | undefined)[];
  /** Pairs of input and output that may share memory; `must` pairs always do, after a copy if necessary. */
  readonly inPlace?: (attrs: Attrs, inputs: number) => readonly InPlace[];
  /** FLOP of one application. */
  readonly cost?: (attrs: Attrs, inputs: readonly Signature[], outputs: readonly Signature[]) => number;
  /** Elements read of each input, if fewer than it has. */
  readonly reads?: (attrs: Attrs, inputs: readonly Signature[]) => readonly number[];
  /** Cotangents of the inputs, in terms of ops; undefined where no gradient flows. Absent: not differentiable. */
  readonly grad?: (
    node: Node<Attrs>,
    cotangents: readonly (Value | undefined)[],
  ) => readonly (Value | undefined)[];
  /** Inputs that contain indices or lengths, and their valid values. */
  readonly indexLimits?: (
    attrs: Attrs,
    inputs: readonly Signature[],
    outputs: readonly Signature[],
  ) => readonly (IndexRange & { readonly input: number })[];
  /** Tolerance of the GPU against the CPU, in float32. */
  readonly tolerance: Tolerance;
}

/** The valid values of an integer input. */
export interface IndexRange {
  /** The least valid value is 0 for `index` and 1 for `length`. */
  readonly kind: 'index' | 'length';
  /** Exclusive upper bound. */
  readonly limit: number;
  /** One additional valid value. */
  readonly except?: number;
}

/** An output that is a view of another output. */
export interface Inside {
  /** The index of the other output. */
  readonly output: number;
  readonly view: (whole: View) => View;
}

/** An input and an output, of equal size, that may share memory. */
export interface InPlace {
  readonly input: number;
  readonly output: number;
  /** Whether they have to. */
  readonly must: boolean;
}

const EXACT: Tolerance = { absolute: 0, relative: 0 };

/** Declares an op. Without a tolerance its results are exact. */
export function defineOp<Attrs>(
  op: Omit<Op<Attrs>, 'tolerance'> & { readonly tolerance?: Tolerance },
): Op<Attrs> {
  return { tolerance: EXACT, ...op };
}

/** Whether a node, or a step of a plan, applies an op. */
export const isOp = <Attrs, Applied extends Pick<Node, 'op' | 'attrs'>>(
  node: Applied | undefined,
  op: Op<Attrs>,
): node is Applied & Pick<Node<Attrs>, 'op' | 'attrs'> => node?.op.name === op.name;

/** All outputs of a new node. */
export function applyAll<Attrs>(op: Op<Attrs>, attrs: Attrs, inputs: readonly Value[]): readonly Value[] {
  return new Node(op, attrs, inputs, op.infer(attrs, inputs)).outputs;
}

/** The first output of a new node. */
export function apply<Attrs>(op: Op<Attrs>, attrs: Attrs, inputs: readonly Value[]): Value {
  return applyAll(op, attrs, inputs)[0];
}
