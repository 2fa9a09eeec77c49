// Assigns storages to the values of the graph. A piece of a concat lies inside the storage of the concat if the kernel that
// computes the piece can write there; any other value has a storage of its own.
import { denseView, isDense, reshapeView, sliceView, type View } from '../core/view.ts';
import { sizeOf, type DType, type Shape } from '../core/shape.ts';
import { isOp, type Value } from '../graph/value.ts';
import { concatOp, gapOp, reshapeOp } from '../ops/structure.ts';
import type { FusedNode } from './fuse.ts';
import type { GraphView } from './graph_view.ts';
import type { Target } from './target.ts';

/** The memory of one tensor, before it is assigned to a buffer. */
export interface Storage {
  readonly label: string;
  /** Elements. */
  readonly size: number;
  readonly dtype: DType;
  /** Whether it has gaps, which are zero because no step writes them. It then shares its buffer with no other storage. */
  readonly hasGaps?: boolean;
  /** Set if the caller provides the memory: as an argument or for an output. */
  readonly external?: { readonly kind: 'argument' | 'output'; readonly index: number };
}

/** A tensor in a storage. */
export interface Placement {
  readonly storage: Storage;
  readonly view: View;
}

/** Whether a kernel that reads dense operands can read a tensor in place. */
export function isAligned({ view }: Placement, { alignment }: Target): boolean {
  return isDense(view) && view.offset % alignment === 0;
}

export class Placements {
  readonly #graph: GraphView;
  readonly #target: Target;
  readonly #placements = new Map<Value, Placement>();

  /** Places the pieces of all concats; `of` places other values as they are asked for. */
  constructor(graph: GraphView, nodes: readonly FusedNode[], target: Target) {
    this.#graph = graph;
    this.#target = target;
    const producers = new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
    // Outer concats come first, so that an inner one, as a piece, already has its placement.
    for (const node of nodes.toReversed()) {
      if (isOp(node, concatOp) && graph.resolve(node.outputs[0]).base === node.outputs[0])
        this.#placePieces(node, producers);
    }
  }

  /** The placement of a value with memory of its own. */
  of(base: Value, make: () => Storage = () => newStorage(base)): Placement {
    const existing = this.#placements.get(base);
    if (existing !== undefined) return existing;
    const placement: Placement = { storage: make(), view: denseView(base.shape) };
    this.#placements.set(base, placement);
    return placement;
  }

  has(base: Value): boolean {
    return this.#placements.has(base);
  }

  #placePieces({ outputs: [concat], sources }: FusedNode, producers: ReadonlyMap<Value, FusedNode>): void {
    const hasGaps = sources.some(({ base }) => isOp(base.node, gapOp));
    const whole = this.of(concat, () => ({ ...newStorage(concat), hasGaps }));
    for (const { value, view } of pieceViews(concat, whole.view)) {
      const source = this.#sourceOf(value);
      const producer = source && producers.get(source);
      if (source === undefined || producer === undefined || this.has(source)) continue;
      const inside = reshapeView(view, source.shape);
      if (inside === undefined || reshapeView(inside, producer.resultShape ?? source.shape) === undefined)
        continue;
      const canWriteStrided = writesStrided(producer, this.#target);
      if (producer.outputs.length > 1 && !canWriteStrided) continue;
      const piece: Placement = { ...whole, view: inside };
      const canWrite = canWriteStrided || isOp(producer, concatOp) || isAligned(piece, this.#target);
      const mustShareInput =
        producer.op.inPlace?.(producer.attrs, producer.sources.length).some(({ must }) => must) === true;
      if (canWrite && !mustShareInput) this.#placements.set(source, piece);
    }
  }

  /** The value with memory of its own of which a piece is a reshape; undefined if other nodes read it too. */
  #sourceOf(value: Value): Value | undefined {
    if (this.#graph.useCount(value) !== 1) return undefined;
    const { node } = value;
    if (node === undefined) return undefined;
    if (isOp(node, reshapeOp)) return this.#sourceOf(node.inputs[0]);
    return node.op.view === undefined && this.#graph.resolve(value).base === value ? value : undefined;
  }
}

/** Whether the kernel of a node can write strided results. */
function writesStrided({ op, attrs, sources }: FusedNode, target: Target): boolean {
  if (op.view !== undefined || op.isStructural === true) return false;
  const signatures = sources.map(({ base, view }) => ({ shape: view.shape, dtype: base.dtype }));
  return target.kernel(op).writesStrided?.(attrs, signatures) === true;
}

/** Each piece of a concat with its slice of the view of the whole. */
export function pieceViews(concat: Value, whole: View): { value: Value; view: View }[] {
  const { node } = concat;
  if (node === undefined) return [];
  const { axis } = node.attrs as { readonly axis: number };
  let start = 0;
  return node.inputs.map((value) => {
    const from = concat.shape.map((_, i) => (i === axis ? start : 0));
    start += value.shape[axis];
    return { value, view: sliceView(whole, from, value.shape) };
  });
}

export function newStorage(
  base: Value,
  label = base.node?.op.name ?? 'argument',
  external?: Storage['external'],
): Storage {
  return { label, size: sizeOf(base.shape), dtype: base.dtype, ...(external && { external }) };
}

/** A dense tensor in a new storage. */
export function densePlacement(label: string, shape: Shape, dtype: DType = 'f32'): Placement {
  return { storage: { label, size: sizeOf(shape), dtype }, view: denseView(shape) };
}
