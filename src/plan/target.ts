// The contract between the planner and a backend: operands in memory, and the traits of each op's kernel, which say how it
// addresses memory, what can be fused into it, and how it rewrites nodes. A backend's kernels add the code that runs them.
import { GatewiseError } from '../core/errors.ts';
import type { DType } from '../core/shape.ts';
import type { View } from '../core/view.ts';
import type { ExpressionSize, Node, Op, Signature, TargetLimits, Value } from '../graph/value.ts';

/**
 * The most bytes of one tensor of a recurrent loop: half of WebGPU's default maxStorageBufferBindingSize of 128 MiB. All backends
 * use it, since random numbers depend on the segment of time in which they are drawn.
 */
const TENSOR_BYTES = 64 * 2 ** 20;

/** A tensor in a buffer of the plan, given by the buffer's index. */
export interface Region {
  readonly buffer: number;
  readonly view: View;
  readonly dtype: DType;
}

/** One application of an op to operands in memory. */
export interface Placed<Attrs = unknown, Operand = Region> {
  readonly op: Op<Attrs>;
  readonly attrs: Attrs;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  readonly scratch: readonly Operand[];
}

/** The limits of a kernel that evaluates an expression over its inputs. */
export interface ExpressionLimits extends ExpressionSize {
  /** The number of distinct buffers among the inputs and outputs of one launch. */
  readonly buffers: number;
  /** Whether one launch can address all these views, which share a shape. @param axes The axes that it reduces, if any. */
  readonly canAddress: (views: readonly View[], axes?: readonly number[]) => boolean;
}

/** What a kernel's `legalize` can ask about the uses of a node. */
export interface NodeUse {
  /** Whether a node or the caller reads this output. */
  readonly reads: (output: number) => boolean;
}

/** What the planner knows of a kernel. By default a kernel reads and writes dense tensors. */
export interface KernelTraits<Attrs = unknown> {
  /** Whether an input may be a strided view. Other inputs are dense and begin at a multiple of the target's alignment. */
  readonly readsStrided?: (input: number, attrs: Attrs) => boolean;
  /** Whether the outputs may be strided views. */
  readonly writesStrided?: (attrs: Attrs, inputs: readonly Signature[]) => boolean;
  /** The sizes of the scratch memory that a step needs, in elements. */
  readonly scratch?: (attrs: Attrs, inputs: readonly Signature[]) => readonly number[];
  /** For a kernel that evaluates an expression: the planner fuses elementwise producers into it within these limits. */
  readonly expression?: ExpressionLimits;
  /** For a kernel that applies an epilogue to each result: how many further inputs the epilogue may read. */
  readonly epilogueInputs?: (attrs: Attrs) => number;
  /**
   * Rewrites a node into the form that this kernel runs best: operands packed, unread outputs left out.
   * @returns Values in place of the node's outputs, or undefined to leave the node.
   */
  readonly legalize?: (node: Node<Attrs>, use: NodeUse) => readonly Value[] | undefined;
}

/** The backend that a plan is made for. */
export interface Target<Kernel extends KernelTraits = KernelTraits> {
  /** The kernel of an op. @throws GatewiseError `unsupported` if the backend has none. */
  kernel(op: Op): Kernel;
  /** Dense operands begin at a multiple of this number of elements. */
  readonly alignment: number;
  /** The most bytes of one tensor. */
  readonly bindingBytes: number;
  readonly limits: TargetLimits;
}

/** The target of a backend with these kernels. Of two kernels for one op the later one counts. */
export function targetWith<Kernel extends KernelTraits & { readonly op: Op }>(
  backend: string,
  kernels: readonly Kernel[],
  alignment: number,
  prefersWavefront: TargetLimits['prefersWavefront'] = () => false,
  bindingBytes = Infinity,
): Target<Kernel> {
  const byOp = new Map(kernels.map((kernel) => [kernel.op.name, kernel]));
  return {
    alignment,
    bindingBytes,
    limits: { tensorBytes: TENSOR_BYTES, prefersWavefront },
    kernel: (op) => {
      const kernel = byOp.get(op.name);
      if (kernel === undefined)
        throw new GatewiseError('unsupported', `plan: the ${backend} backend has no kernel for ${op.name}`);
      return kernel;
    },
  };
}
