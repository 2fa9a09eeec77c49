// Gives every value of the graph a storage: its own, a part of the concat that it goes into, or none.
import { isDense, reshapeView, sliceView, type View } from '../core/view.ts';
import { sizeOf, type DType } from '../core/shape.ts';
import type { Value } from '../graph/value.ts';
import { concatOp, gapOp, reshapeOp } from '../ops/structure.ts';
import type { Fused } from './fuse.ts';
import type { GraphView } from './graph_view.ts';
import type { Target } from './target.ts';

/** Memory of one tensor, before buffers are chosen. */
export interface Storage {
  readonly label: string;
  readonly size: number;
  readonly dtype: DType;
  /** Parts of it are zero because nothing writes them: it shares its buffer with nothing. */
  readonly pinned?: boolean;
  /** Lives outside the plan: an argument or a result. */
  readonly outside?: { readonly kind: 'argument' | 'output'; readonly index: number };
}

/** A tensor in a storage. */
export interface Placement {
  readonly storage: Storage;
  readonly view: View;
  readonly dtype: DType;
}

/** Whether a kernel that reads dense operands can read it where it lies. */
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
    // Outer concats first, so that an inner one already knows where it lies.
    for (const item of fused.toReversed()) {
      if (item.op.name === concatOp.name && graph.resolve(item.outputs[0]).base === item.outputs[0])
        this.#placePieces(item, makers);
    }
  }

  /** Where a value with memory of its own lies. */
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

  /** Whether the maker of a piece writes straight into the concat. */
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

  /** What makes a piece, through reshapes alone, where nothing else reads it. */
  #sourceOf(value: Value): Value | undefined {
    if (this.#graph.uses(value) !== 1) return undefined;
    const { node } = value;
    if (node === undefined) return undefined;
    if (node.op.name === reshapeOp.name) return this.#sourceOf(node.inputs[0]);
    return node.op.view === undefined && this.#graph.resolve(value).base === value ? value : undefined;
  }
}

/** Whether the kernel of an item may write strided results. */
function writesStrided({ op, attrs, sources }: Fused, target: Target): boolean {
  if (op.view !== undefined || op.isStructural === true) return false;
  const signatures = sources.map(({ base, view }) => ({ shape: view.shape, dtype: base.dtype }));
  return target.kernel(op).writesStrided?.(attrs, signatures) === true;
}

/** Where each piece of a concat goes. */
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
