// From fused ops to steps over storages: copies where a kernel cannot read a view, fills for constants, scratch memory.
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
  /** It runs only when a frozen argument that it depends on has changed. */
  readonly memoised?: boolean;
  /** It depends on frozen and prefetchable arguments alone. */
  readonly prefetchable?: boolean;
}

export interface Lowered {
  readonly steps: readonly LoweredStep[];
  readonly outputs: readonly Placement[];
  /** Output storages that shall be the storage of an argument. */
  readonly donations: readonly { readonly argument: Storage; readonly output: Placement }[];
}

/** For each output, the argument whose memory it replaces, if any. */
export type Donate = readonly (number | undefined)[];

export function lower(graph: GraphView, args: readonly Value[], donate: Donate, target: Target): Lowered {
  const fused = fuse(graph, new Set(graph.outputs.filter((_, i) => donate[i] !== undefined)), target);
  const places = new Placements(graph, fused, target);
  const steps: LoweredStep[] = [];
  /** Dense copies made so far, by the view that they are of. */
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
    // A kernel that moves floats may flush small integers, whose bits are those of subnormal floats.
    else
      steps.push({ op: copyOp as Op, attrs: {}, label: 'copy', inputs: [from], outputs: [to], scratch: [] });
  };

  /** Constants are written where something other than an expression reads them. */
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
    // The base may itself lie inside something larger; a dense base is read by the view as it is.
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
      // Views of several outputs never need a copy.
      if (graph.copied.has(output)) {
        const from = read(graph.resolve(nodeOf(output).inputs[0]), true);
        const to = places.of(output);
        // The copy walks the input's shape: only its readers see it under the new one.
        emitCopy(from, { ...to, view: denseView(from.view.shape, to.view.offset) });
      }
    } else if (item.op.name === concatOp.name) {
      // What lies side by side already is read as it is.
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
    // A result's memory comes used: what holds a gap is copied there, zeros included.
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
  // An argument that one of these copies overwrites and another still reads is put aside first.
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

/** Room that no step writes. */
function isUnwritten({ node }: Value): boolean {
  return node?.op.name === emptyOp.name || node?.op.name === gapOp.name;
}

/** The output as the op sees it. */
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

/** Whether a piece's maker wrote it into the concat. */
function liesIn(places: Placements, base: Value, to: Placement): boolean {
  return places.isPlaced(base) && places.of(base).storage === to.storage;
}
