// Assigns each value a storage: its own, part of the storage of its concat, or none.
import { isDense, reshapeView, sliceView, type View } from '../core/view.ts';
import { sizeOf, type DType } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import { concatOp, gapOp, reshapeOp } from '../ops/structure.ts';
import type { Fused } from './fuse.ts';
import type { GraphView } from './graph_view.ts';
import type { Target } from './target.ts';

/** Memory of one tensor, before buffer assignment. */
export interface Storage {
  readonly label: string;
  readonly size: number;
  readonly dtype: DType;
  /** Contains gaps, which are zero because nothing writes them: it never shares a buffer. */
  readonly pinned?: boolean;
  /** Memory outside the plan: an argument or a result. */
  readonly outside?: { readonly kind: 'argument' | 'output'; readonly index: number };
}

/** A tensor in a storage. */
export interface Placement {
  readonly storage: Storage;
  readonly view: View;
  readonly dtype: DType;
}

/** Whether a kernel that needs dense operands can read the value in place. */
export function isAligned({ view }: Placement, { alignment }: Target): boolean {
  return isDense(view) && view.offset % alignment === 0;
}

export class Placements {
  readonly #graph: GraphView;
  readonly #target: Target;
  readonly #placed = new Map<Value, Placement>();

  constructor(graph: GraphView, fused: readonly Fused[], target: Target) {
    this.#graph = graph;
    this.#target = target;
    const makers = new Map(fused.flatMap((item) => item.outputs.map((output) => [output, item] as const)));
    // Outer concats first, so that an inner concat's place is known.
    for (const item of fused.toReversed()) {
      if (item.op.name === concatOp.name && graph.resolve(item.outputs[0]).base === item.outputs[0])
        this.#placePieces(item, makers);
    }
  }

  /** The place of a value that owns memory. */
  of(base: Value, make: () => Storage = () => newStorage(base)): Placement {
    const known = this.#placed.get(base);
    if (known !== undefined) return known;
    const storage = make();
    const strides = base.shape.map((_, axis) => sizeOf(base.shape.slice(axis + 1)));
    const place: Placement = { storage, view: { shape: base.shape, strides, offset: 0 }, dtype: base.dtype };
    this.#placed.set(base, place);
    return place;
  }

  set(base: Value, place: Placement): void {
    this.#placed.set(base, place);
  }

  /** Whether the producer of a piece can write directly into the concat. */
  isPlaced(base: Value): boolean {
    return this.#placed.has(base);
  }

  #placePieces({ outputs: [whole], sources }: Fused, makers: ReadonlyMap<Value, Fused>): void {
    const pinned = sources.some(({ base }) => base.node?.op.name === gapOp.name);
    const target = this.of(whole, () => ({ ...newStorage(whole), pinned }));
    for (const { value, view } of pieceViews(whole, target.view)) {
      const source = this.#sourceOf(value);
      const maker = source && makers.get(source);
      if (source === undefined || maker === undefined || this.isPlaced(source)) continue;
      const inside = reshapeView(view, source.shape);
      if (inside === undefined || reshapeView(inside, maker.resultShape ?? source.shape) === undefined)
        continue;
      const strided = writesStrided(maker, this.#target);
      if (maker.outputs.length > 1 && !strided) continue;
      const place: Placement = { ...target, view: inside };
      const fits = strided || maker.op.name === concatOp.name || isAligned(place, this.#target);
      const mustWorkInPlace =
        maker.op.inPlace?.(maker.attrs, maker.sources.length).some(({ must }) => must) === true;
      if (fits && !mustWorkInPlace) this.set(source, place);
    }
  }

  /** The producer of a piece, found through reshapes, if it has no other reader. */
  #sourceOf(value: Value): Value | undefined {
    if (this.#graph.uses(value) !== 1) return undefined;
    const { node } = value;
    if (node === undefined) return undefined;
    if (node.op.name === reshapeOp.name) return this.#sourceOf(node.inputs[0]);
    return node.op.view === undefined && this.#graph.resolve(value).base === value ? value : undefined;
  }
}

/** Whether the item's kernel supports strided results. */
function writesStrided({ op, attrs, sources }: Fused, target: Target): boolean {
  if (op.view !== undefined || op.isStructural === true) return false;
  const signatures = sources.map(({ base, view }) => ({ shape: view.shape, dtype: base.dtype }));
  return target.kernel(op).writesStrided?.(attrs, signatures) === true;
}

/** The view of each piece of a concat. */
export function pieceViews(whole: Value, target: View): { value: Value; view: View }[] {
  const { node } = whole;
  if (node === undefined) return [];
  const { axis } = node.attrs as { readonly axis: number };
  let start = 0;
  return node.inputs.map((value) => {
    const at = whole.shape.map((_, i) => (i === axis ? start : 0));
    start += value.shape[axis];
    return { value, view: sliceView(target, at, value.shape) };
  });
}

export function newStorage(base: Value, label = base.node?.op.name ?? 'argument'): Storage {
  return { label, size: sizeOf(base.shape), dtype: base.dtype };
}
