// Lowers fused ops to steps over storages: copies where a kernel cannot read a view, fills for constants, scratch memory.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { denseView, isDense, reshapeView, sameView, type View } from '../core/view.ts';
import { Expr } from '../expr/expr.ts';
import { inputName } from '../expr/operands.ts';
import type { Op, Value } from '../graph/value.ts';
import { copyOp } from '../ops/copy.ts';
import { elementwiseOp, type ElementwiseAttrs } from '../ops/elementwise.ts';
import { concatOp, constantOp, emptyOp, gapOp } from '../ops/structure.ts';
import { fuse, type Fused, type Source } from './fuse.ts';
import type { GraphView } from './graph_view.ts';
import { isAligned, newStorage, pieceViews, Placements, type Placement, type Storage } from './placement.ts';
import type { Target } from './target.ts';

export interface LoweredStep {
  readonly op: Op;
  readonly attrs: unknown;
  readonly label: string;
  readonly inputs: readonly Placement[];
  readonly outputs: readonly Placement[];
  readonly scratch: readonly Placement[];
  /** Runs only when a frozen argument that it depends on has changed. */
  readonly memoised?: boolean;
  /** Depends only on frozen and prefetchable arguments. */
  readonly prefetchable?: boolean;
}

export interface Lowered {
  readonly steps: readonly LoweredStep[];
  readonly outputs: readonly Placement[];
  /** Output storages that will be merged with an argument's storage. */
  readonly donations: readonly { readonly argument: Storage; readonly output: Placement }[];
}

/** For each output, the donated argument whose memory it replaces, if any. */
export type Donate = readonly (number | undefined)[];

export function lower(graph: GraphView, args: readonly Value[], donate: Donate, target: Target): Lowered {
  const fused = fuse(graph, new Set(graph.outputs.filter((_, i) => donate[i] !== undefined)), target);
  const places = new Placements(graph, fused, target);
  const steps: LoweredStep[] = [];
  /** Dense copies made so far, by view. */
  const copies = new Map<Value, { readonly of: View; readonly place: Placement }[]>();
  const filled = new Set<Value>();
  const argumentStorage = args.map((arg, index): Storage => ({
    ...newStorage(arg),
    outside: { kind: 'argument', index },
  }));
  args.forEach((arg, i) => places.of(arg, () => argumentStorage[i]));

  const emitElementwise = (
    expr: Expr,
    inputs: readonly Placement[],
    output: Placement,
    label: string,
  ): void => {
    const attrs: ElementwiseAttrs = { exprs: [expr], shape: output.view.shape, label };
    steps.push({ op: elementwiseOp as Op, attrs, label, inputs, outputs: [output], scratch: [] });
  };
  const emitCopy = (from: Placement, to: Placement): void => {
    if (to.dtype === 'f32') emitElementwise(Expr.input(inputName(0)), [from], to, 'copy');
    // A float kernel may flush small integers, whose bit patterns are subnormal floats.
    else
      steps.push({ op: copyOp as Op, attrs: {}, label: 'copy', inputs: [from], outputs: [to], scratch: [] });
  };

  /** Writes a constant to memory if a reader other than an expression needs it. */
  const ensureFilled = (base: Value): void => {
    if (base.node?.op.name !== constantOp.name || filled.has(base)) return;
    filled.add(base);
    const value = constantValue(base);
    emitElementwise(Expr.constant(value), [], places.of(base), `fill ${value}`);
  };

  const read = ({ base, view }: Source, strided: boolean): Placement => {
    const spread = base.node?.op.name === constantOp.name && !isDense(view);
    if (!spread) ensureFilled(base);
    const whole = places.of(base);
    // Adds the base's own offset, since the base may be part of a larger storage; the base is dense, so the view's strides hold.
    const place: Placement = { ...whole, view: { ...view, offset: view.offset + whole.view.offset } };
    if (!spread && (strided || isAligned(place, target))) return place;
    const known = copies.get(base)?.find((copy) => sameView(copy.of, view));
    if (known !== undefined) return known.place;
    const dense: Placement = {
      storage: { label: 'copy', size: sizeOf(view.shape), dtype: base.dtype },
      view: denseView(view.shape),
      dtype: base.dtype,
    };
    if (spread) emitElementwise(Expr.constant(constantValue(base)), [], dense, 'fill');
    else emitCopy(place, dense);
    copies.set(base, [...(copies.get(base) ?? []), { of: view, place: dense }]);
    return dense;
  };

  const emit = (item: Fused): void => {
    const { readsStrided, scratch: scratchOf } = target.kernel(item.op);
    const inputs = item.sources.map((source, i) => read(source, readsStrided?.(i, item.attrs) === true));
    const outputs = item.outputs.flatMap((output, i) =>
      item.op.inside?.(item.attrs, item.outputs)[i] === undefined
        ? [resultPlace(item, places.of(output))]
        : [],
    );
    const signatures = item.sources.map(({ view, base }) => ({ shape: view.shape, dtype: base.dtype }));
    const scratch = (scratchOf?.(item.attrs, signatures) ?? []).map((size): Placement => ({
      storage: { label: 'scratch', size, dtype: 'f32' },
      view: denseView([size]),
      dtype: 'f32',
    }));
    steps.push({ op: item.op, attrs: item.attrs, label: item.label, inputs, outputs, scratch });
  };

  for (const item of fused) {
    const [output] = item.outputs;
    if (item.op.view !== undefined) {
      graph.resolve(output);
      // Views of ops with several outputs never need a copy.
      if (graph.copied.has(output)) {
        const from = read(graph.resolve(nodeOf(output).inputs[0]), true);
        const to = places.of(output);
        // The copy has the input's shape; only its readers use the new one.
        emitCopy(from, { ...to, view: denseView(from.view.shape, to.view.offset) });
      }
    } else if (item.op.name === concatOp.name) {
      // Pieces that are already adjacent are read in place.
      if (graph.resolve(output).base !== output) continue;
      for (const { value, view } of pieceViews(output, places.of(output).view)) {
        const { base } = graph.resolve(value);
        const piece: Placement = { ...places.of(output), view };
        if (isUnwritten(base)) continue;
        if (base.node?.op.name === constantOp.name) {
          emitElementwise(Expr.constant(constantValue(base)), [], piece, 'fill');
        } else if (!liesIn(places, base, piece)) emitCopy(read(graph.resolve(value), true), piece);
      }
    } else if (item.op.name !== constantOp.name && !isUnwritten(output)) emit(item);
  }

  const donations: { argument: Storage; output: Placement }[] = [];
  const late: [from: Placement, to: Placement][] = [];
  const claimed = new Set<Storage>();
  const outputs = graph.outputs.map((value, index): Placement => {
    const source = graph.resolve(value);
    const place = read(source, true);
    const whole =
      place.view.offset === 0 && sizeOf(place.view.shape) === place.storage.size && isAligned(place, target);
    // A result's buffer has old contents, so a result that contains a gap is copied there with its zeros.
    const inner = place.storage.outside === undefined && place.storage.pinned !== true;
    const own = whole && inner && !claimed.has(place.storage);
    const donor = donate[index];
    if (whole && donor !== undefined && place.storage === argumentStorage[donor]) return place;
    const dense: Placement = { ...place, view: denseView(value.shape) };
    if (own) {
      claimed.add(place.storage);
      if (donor !== undefined) donations.push({ argument: argumentStorage[donor], output: dense });
      return dense;
    }
    const storage: Storage = { ...newStorage(value, 'output'), outside: { kind: 'output', index } };
    const to: Placement = { ...dense, storage: donor === undefined ? storage : argumentStorage[donor] };
    late.push([place, to]);
    return to;
  });
  // Saves an argument that one of these copies overwrites and another still reads.
  const overwritten = new Set(late.map(([, to]) => to.storage));
  const safe = late.map(([from, to]): [Placement, Placement] => {
    if (!overwritten.has(from.storage)) return [from, to];
    const aside: Placement = {
      storage: { label: 'copy', size: sizeOf(to.view.shape), dtype: to.dtype },
      view: denseView(to.view.shape),
      dtype: to.dtype,
    };
    emitCopy(from, aside);
    return [aside, to];
  });
  for (const [from, to] of safe) emitCopy(from, to);
  return { steps, outputs, donations };
}

function constantValue(base: Value): number {
  return (nodeOf(base).attrs as { readonly value: number }).value;
}

/** Memory that no step writes. */
function isUnwritten({ node }: Value): boolean {
  return node?.op.name === emptyOp.name || node?.op.name === gapOp.name;
}

/** The output under the shape that the op sees. */
function resultPlace({ resultShape }: Fused, place: Placement): Placement {
  if (resultShape === undefined) return place;
  const view = reshapeView(place.view, resultShape);
  if (view === undefined)
    throw new GatewiseError(
      'internal',
      `plan: no view of [${place.view.shape.join(', ')}] as [${resultShape.join(', ')}]`,
    );
  return { ...place, view };
}

function nodeOf(value: Value): NonNullable<Value['node']> {
  if (value.node === undefined) throw new GatewiseError('internal', 'plan: an argument has no node');
  return value.node;
}

/** Whether the producer of a piece wrote it into the concat directly. */
function liesIn(places: Placements, base: Value, to: Placement): boolean {
  return places.isPlaced(base) && places.of(base).storage === to.storage;
}
