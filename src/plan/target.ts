// What the planner knows of the backend that a plan is made for: how the kernel of each op addresses memory, what can be
// fused into it, and what it wants of the graph. A backend's own kernels extend these traits by how they are run.
import type { View } from '../core/view.ts';
import type { Node, Op, Signature, TargetLimits, Value } from '../graph/value.ts';

/** The limits of a kernel that evaluates an expression over its inputs. */
export interface ExpressionLimits {
  /** Inputs and outputs of one launch, and distinct buffers among them. */
  readonly inputs: number;
  readonly outputs: number;
  readonly buffers: number;
  /** Whether one launch can walk these views, which share a shape. @param axes those that are reduced, if any. */
  readonly walks: (views: readonly View[], axes?: readonly number[]) => boolean;
}

/** What a legalization may ask about a node. */
export interface NodeUse {
  /** Whether anything reads this output. */
  readonly reads: (output: number) => boolean;
  /** Whether an input follows from arguments that are known before the others of a run, so that work on it can be prefetched. */
  readonly isPrefetchable: (input: number) => boolean;
}

/** What the planner knows of a kernel. One that says nothing reads and writes dense tensors. */
export interface KernelTraits<Attrs = unknown> {
  /** Whether an input may be a strided view. The others are dense and begin at a multiple of the target's alignment. */
  readonly readsStrided?: (input: number, attrs: Attrs) => boolean;
  /** Whether the outputs may be strided views. */
  readonly writesStrided?: (attrs: Attrs, inputs: readonly Signature[]) => boolean;
  /** Sizes of scratch memory, in elements. */
  readonly scratch?: (attrs: Attrs, inputs: readonly Signature[]) => readonly number[];
  /** Of kernels that evaluate an expression: elementwise expressions that feed it are fused into it within these limits. */
  readonly expression?: ExpressionLimits;
  /** Of kernels that apply an expression to each result: how many further inputs that epilogue may read. */
  readonly epilogueInputs?: (attrs: Attrs) => number;
  /**
   * The outputs of a node as this kernel wants them computed, in terms of ops: operands packed, unread outputs left out.
   * Undefined: as the node stands.
   */
  readonly legalize?: (node: Node<Attrs>, use: NodeUse) => readonly Value[] | undefined;
}

export interface Target {
  /** The kernel of an op. @throws GatewiseError `unsupported` where the backend has none. */
  kernel(op: Op): KernelTraits;
  /** Dense operands begin at a multiple of so many elements. */
  readonly alignment: number;
  readonly limits: TargetLimits;
}
