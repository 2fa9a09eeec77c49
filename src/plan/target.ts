// What the planner knows of a backend: how each op's kernel addresses memory, what can be fused into it, and how it legalizes
// nodes. A backend's own kernels extend these traits with the code that runs them.
import type { View } from '../core/view.ts';
import type { Node, Op, Signature, TargetLimits, Value } from '../graph/value.ts';

/**
 * Bytes of one tensor of a loop: half of maxStorageBufferBindingSize, 128 MiB unless a device says more. The same for all
 * backends, since random numbers depend on the segment of time in which they are drawn.
 */
export const TENSOR_BYTES = 64 * 2 ** 20;

/** The limits of a kernel that evaluates an expression over its inputs. */
export interface ExpressionLimits {
  /** The most inputs and outputs of one launch, and distinct buffers among them. */
  readonly inputs: number;
  readonly outputs: number;
  readonly buffers: number;
  /** Whether one launch can walk these views, which share a shape. @param axes The reduced axes, if any. */
  readonly walks: (views: readonly View[], axes?: readonly number[]) => boolean;
}

/** Queries that a legalization may make about a node. */
export interface NodeUse {
  /** Whether this output has a reader. */
  readonly reads: (output: number) => boolean;
  /** Whether an input depends only on arguments known before the rest of a run, so that work on it can be prefetched. */
  readonly isPrefetchable: (input: number) => boolean;
}

/** A kernel's traits. The default is to read and write dense tensors. */
export interface KernelTraits<Attrs = unknown> {
  /** Whether an input may be a strided view. Dense inputs begin at a multiple of the target's alignment. */
  readonly readsStrided?: (input: number, attrs: Attrs) => boolean;
  /** Whether the outputs may be strided views. */
  readonly writesStrided?: (attrs: Attrs, inputs: readonly Signature[]) => boolean;
  /** Sizes of scratch buffers, in elements. */
  readonly scratch?: (attrs: Attrs, inputs: readonly Signature[]) => readonly number[];
  /** Set by kernels that evaluate an expression: limits within which elementwise producers are fused into it. */
  readonly expression?: ExpressionLimits;
  /** Set by kernels with an epilogue: the number of additional inputs that the epilogue may read. */
  readonly epilogueInputs?: (attrs: Attrs) => number;
  /**
   * The legalized outputs of a node, in terms of ops: operands packed, unread outputs left out.
   * Undefined keeps the node.
   */
  readonly legalize?: (node: Node<Attrs>, use: NodeUse) => readonly Value[] | undefined;
}

export interface Target {
  /** The kernel of an op. @throws GatewiseError `unsupported` where the backend has none. */
  kernel(op: Op): KernelTraits;
  /** Alignment of dense operands, in elements. */
  readonly alignment: number;
  readonly limits: TargetLimits;
}
