// The graph: values, the nodes that make them, and what an op declares. A pure data structure; nothing is computed and
// no device is known. One object per op holds the shape rule, views and aliasing, the gradient, the cost and the tolerance;
// shape checks, the planner, autodiff, conformance tests and tables all read these objects. How a backend computes an op is
// in that backend's kernels.
import { GatewiseError, show } from '../core/errors.ts';
import { checkShape, sameShape, type DType, type Shape } from '../core/shape.ts';
import type { View } from '../core/view.ts';
import type { Arith, ScalarOpName } from '../expr/arith.ts';

export interface Signature {
  readonly shape: Shape;
  readonly dtype: DType;
}

let nextOrder = 0;

/** One application of an op. */
export class Node<Attrs = unknown> {
  /** Nodes are run in the order in which they were made: what a gradient is made of is used where it is at hand. */
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

/** A traced tensor: a shape, a dtype, and how it is made. */
export class Value implements Arith<Value> {
  readonly shape: Shape;
  readonly dtype: DType;
  /** What makes it; undefined for an argument of the traced function. */
  readonly node: Node | undefined;
  /** Which output of the node it is. */
  readonly index: number;

  constructor({ shape, dtype }: Signature, node?: Node, index = 0) {
    checkShape(node?.op.name ?? 'argument', shape);
    this.shape = shape;
    this.dtype = dtype;
    this.node = node;
    this.index = index;
  }

  /** The words of arithmetic on tensors: element by element, with NumPy's broadcasting. */
  apply(op: ScalarOpName, args: readonly (Value | number)[]): Value {
    return tensorArithmetic.apply(op, args);
  }
}

/** How arithmetic on values makes nodes. The elementwise op sets it, as values cannot know the ops above them. */
export const tensorArithmetic: { apply: (op: ScalarOpName, args: readonly (Value | number)[]) => Value } = {
  apply: (op) => {
    throw new GatewiseError('internal', `${op}: the elementwise op is not loaded`);
  },
};

/** Throws unless `value` is a traced value of `dtype` and, where given, of `shape`. */
export function expectValue(
  what: string,
  value: unknown,
  dtype: DType,
  shape?: Shape,
): asserts value is Value {
  if (!(value instanceof Value)) {
    throw new GatewiseError('argument', `${what}: expected a traced value, got ${show(value)}`);
  }
  if (value.dtype !== dtype)
    throw new GatewiseError('dtype', `${what}: expected ${dtype}, got ${value.dtype}`);
  if (shape !== undefined && !sameShape(value.shape, shape)) {
    throw new GatewiseError('shape', `${what}: expected shape ${show(shape)}, got ${show(value.shape)}`);
  }
}

/**
 * Every node that `roots` need, each once, in the order in which they were made: makers before users.
 * @param until values that are taken as given: what makes them is left out.
 */
export function nodesOf(roots: readonly Value[], until: ReadonlySet<Value> = new Set()): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  // An explicit stack: graphs are deeper than call stacks.
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

/** What a decomposition may ask about the target that the plan is made for. */
export interface TargetLimits {
  /** Bytes that one tensor of a loop may have, so that it can be bound. */
  readonly tensorBytes: number;
  /** Whether stacked recurrent layers had better run as a wavefront, in launches that each do a step of all layers. */
  readonly prefersWavefront: (step: WavefrontStep) => boolean;
}

/** The cost of one backward step of stacked recurrent layers, whose products are the longer ones. */
export interface WavefrontStep {
  readonly flop: number;
  /** Bytes of the weights that a step of all layers reads, and that a step of one layer by itself reads. */
  readonly bytes: number;
  readonly layerBytes: number;
}

export interface Cost {
  readonly flop: number;
  /** Read and written, each tensor once. */
  readonly bytes: number;
}

export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

export interface Op<Attrs = unknown> {
  readonly name: string;
  /** One line for the table of ops. */
  readonly summary: string;
  /** Signatures of the outputs. The only shape rule; throws a GatewiseError. */
  readonly infer: (attrs: Attrs, inputs: readonly Signature[]) => Signature[];
  /** For ops that only look at an input another way: the view of an output, or undefined where it needs a copy. */
  readonly view?: (attrs: Attrs, input: View, output: number) => View | undefined;
  /** Which input an output of such an op looks at; the first unless told. */
  readonly viewOf?: (output: number) => number;
  /** Of composite ops: the outputs in terms of other ops, traced when the plan is made. */
  readonly decompose?: (attrs: Attrs, inputs: readonly Value[], limits: TargetLimits) => readonly Value[];
  /** Whether each output is the input that it is a view of, and only gradients tell them apart. */
  readonly isIdentity?: boolean;
  /** Whether the planner computes it by copies, fills or nothing at all, so that no backend has a kernel for it. */
  readonly isStructural?: boolean;
  /** Outputs that lie inside another output: which one, and where. */
  readonly inside?: (attrs: Attrs, outputs: readonly Signature[]) => readonly (Inside | undefined)[];
  /** Pairs of input and output that may share memory; `must` pairs always do, after a copy if need be. */
  readonly inPlace?: (attrs: Attrs, inputs: number) => readonly InPlace[];
  /** FLOP of one application. */
  readonly cost?: (attrs: Attrs, inputs: readonly Signature[], outputs: readonly Signature[]) => number;
  /** Elements that are read of each input, where they may be fewer than it has. */
  readonly reads?: (attrs: Attrs, inputs: readonly Signature[]) => readonly number[];
  /** Cotangents of the inputs, in terms of ops; undefined where none flows. Absent: not differentiable. */
  readonly grad?: (
    node: Node<Attrs>,
    cotangents: readonly (Value | undefined)[],
  ) => readonly (Value | undefined)[];
  /** Inputs that hold indices or lengths, and what these may be. */
  readonly indexLimits?: (
    attrs: Attrs,
    inputs: readonly Signature[],
    outputs: readonly Signature[],
  ) => readonly (IndexRange & { readonly input: number })[];
  /** GPU against CPU, in float32. */
  readonly tolerance: Tolerance;
}

/** What whole numbers of an input may be. */
export interface IndexRange {
  /** Indices begin at 0, lengths at 1. */
  readonly kind: 'index' | 'length';
  /** All must be below this. */
  readonly limit: number;
  /** One more value that they may take. */
  readonly except?: number;
}

export interface Inside {
  readonly output: number;
  readonly view: (whole: View) => View;
}

export interface InPlace {
  readonly input: number;
  readonly output: number;
  readonly must: boolean;
}

/** An op declaration; the identity, for its types. */
export function defineOp<Attrs>(op: Op<Attrs>): Op<Attrs> {
  return op;
}
