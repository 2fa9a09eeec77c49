// Lowering: fused nodes become steps over storages. It adds copies where a kernel cannot read a view, fills for constants that a
// kernel reads, and scratch memory.
import { GatewiseError } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { denseView, isDense, reshapeView, sameView, type View } from '../core/view.ts';
import { Expr, inputName } from '../expr/expr.ts';
import { isOp, type Op, type Value } from '../graph/value.ts';
import { copyOp } from '../ops/copy.ts';
import { elementwiseOp, type ElementwiseAttrs } from '../ops/elementwise.ts';
import { concatOp, constantOp, emptyOp, gapOp } from '../ops/structure.ts';
import { fuse, type FusedNode, type Source } from './fuse.ts';
import type { GraphView } from './graph_view.ts';
import type { Placed, Target } from './target.ts';
import {
  densePlacement,
  isAligned,
  newStorage,
  pieceViews,
  Placements,
  type Placement,
  type Storage,
} from './placement.ts';

/** A step whose operands lie in storages; `memory.ts` assigns the buffers. */
export interface LoweredStep extends Placed<unknown, Placement> {
  readonly label: string;
  /** The step runs only if a frozen argument that it depends on has changed. */
  readonly memoised?: boolean;
}

export interface Lowered {
  readonly steps: readonly LoweredStep[];
  readonly outputs: readonly Placement[];
  /** Output storages that take over the memory of an argument. */
  readonly donations: readonly { readonly argument: Storage; readonly output: Placement }[];
}

/** For each output, the index of the argument whose memory it takes over, if any. */
export type Donate = readonly (number | undefined)[];

export function lower(graph: GraphView, args: readonly Value[], donate: Donate, target: Target): Lowered {
  return new Lowering(graph, args, donate, target).run();
}

/** A step that evaluates one expression. */
function elementwiseStep(
  expr: Expr,
  inputs: readonly Placement[],
  output: Placement,
  label: string,
): LoweredStep {
  const attrs: ElementwiseAttrs = { exprs: [expr], shape: output.view.shape, label };
  return { op: elementwiseOp as Op, attrs, label, inputs, outputs: [output], scratch: [] };
}

/** A step that copies elements, in row-major order of the shape of both views. */
export function copyStep(from: Placement, to: Placement): LoweredStep {
  if (to.storage.dtype === 'f32') return elementwiseStep(Expr.input(inputName(0)), [from], to, 'copy');
  // A kernel that moves floats may flush small integers, whose bits are those of subnormal floats.
  return { op: copyOp as Op, attrs: {}, label: 'copy', inputs: [from], outputs: [to], scratch: [] };
}

class Lowering {
  readonly #graph: GraphView;
  readonly #donate: Donate;
  readonly #target: Target;
  readonly #nodes: readonly FusedNode[];
  readonly #placements: Placements;
  readonly #argumentStorages: readonly Storage[];
  readonly #steps: LoweredStep[] = [];
  /** The dense copies of views of each base. */
  readonly #copies = new Map<Value, { readonly of: View; readonly copy: Placement }[]>();
  readonly #filled = new Set<Value>();

  constructor(graph: GraphView, args: readonly Value[], donate: Donate, target: Target) {
    this.#graph = graph;
    this.#donate = donate;
    this.#target = target;
    this.#nodes = fuse(graph, new Set(graph.outputs.filter((_, i) => donate[i] !== undefined)), target);
    this.#placements = new Placements(graph, this.#nodes, target);
    this.#argumentStorages = args.map((arg, index) =>
      newStorage(arg, 'argument', { kind: 'argument', index }),
    );
    args.forEach((arg, i) => this.#placements.of(arg, () => this.#argumentStorages[i]));
  }

  run(): Lowered {
    for (const node of this.#nodes) {
      if (node.op.view !== undefined) this.#lowerView(node);
      else if (isOp(node, concatOp)) this.#lowerConcat(node);
      else if (!isOp(node, constantOp) && !isUninitialized(node.outputs[0])) this.#lowerKernel(node);
    }
    const { outputs, donations } = this.#placeOutputs();
    return { steps: this.#steps, outputs, donations };
  }

  #copy(from: Placement, to: Placement): void {
    this.#steps.push(copyStep(from, to));
  }

  #fill(value: number, to: Placement, label = 'fill'): void {
    this.#steps.push(elementwiseStep(Expr.constant(value), [], to, label));
  }

  /** Where a step reads a source: in place if the kernel can, else in a dense copy. */
  #read({ base, view }: Source, canReadStrided: boolean): Placement {
    const constant = constantValue(base);
    // A broadcast constant is filled in the shape of the view, any other constant once in its own shape.
    const isBroadcastConstant = constant !== undefined && !isDense(view);
    if (constant !== undefined && !isBroadcastConstant && !this.#filled.has(base)) {
      this.#filled.add(base);
      this.#fill(constant, this.#placements.of(base), `fill ${constant}`);
    }
    // A base may lie inside a larger storage, densely, so its offset there is added to that of the view.
    const whole = this.#placements.of(base);
    const placement: Placement = { ...whole, view: { ...view, offset: view.offset + whole.view.offset } };
    if (!isBroadcastConstant && (canReadStrided || isAligned(placement, this.#target))) return placement;
    const copies = this.#copies.get(base) ?? [];
    const existing = copies.find(({ of }) => sameView(of, view));
    if (existing !== undefined) return existing.copy;
    const copy = densePlacement('copy', view.shape, base.dtype);
    if (isBroadcastConstant) this.#fill(constant, copy);
    else this.#copy(placement, copy);
    this.#copies.set(base, [...copies, { of: view, copy }]);
    return copy;
  }

  /** A view is no step, unless strides cannot express it: then it is a copy. */
  #lowerView({ outputs: [output], sources: [source] }: FusedNode): void {
    this.#graph.resolve(output);
    if (!this.#graph.copied.has(output)) return;
    const from = this.#read(source, true);
    const to = this.#placements.of(output);
    // Both views have the input's shape here; readers of the copy see it in the output's shape.
    this.#copy(from, { ...to, view: denseView(from.view.shape, to.view.offset) });
  }

  /** Fills or copies the pieces of a concat that their producers do not write in place. */
  #lowerConcat({ outputs: [output] }: FusedNode): void {
    if (this.#graph.resolve(output).base !== output) return;
    const whole = this.#placements.of(output);
    for (const { value, view } of pieceViews(output, whole.view)) {
      const { base } = this.#graph.resolve(value);
      const piece: Placement = { ...whole, view };
      if (isUninitialized(base)) continue;
      const constant = constantValue(base);
      if (constant !== undefined) this.#fill(constant, piece);
      else if (!this.#placements.has(base) || this.#placements.of(base).storage !== piece.storage)
        this.#copy(this.#read(this.#graph.resolve(value), true), piece);
    }
  }

  #lowerKernel(node: FusedNode): void {
    const { op, attrs, sources, label } = node;
    const { readsStrided, scratch: scratchOf } = this.#target.kernel(op);
    const inputs = sources.map((source, i) => this.#read(source, readsStrided?.(i, attrs) === true));
    const inside = op.inside?.(attrs, node.outputs) ?? [];
    const outputs = node.outputs
      .filter((_, i) => inside[i] === undefined)
      .map((output) => reshapeResult(node, this.#placements.of(output)));
    const signatures = sources.map(({ view, base }) => ({ shape: view.shape, dtype: base.dtype }));
    const scratch = (scratchOf?.(attrs, signatures) ?? []).map((size) => densePlacement('scratch', [size]));
    this.#steps.push({ op, attrs, label, inputs, outputs, scratch });
  }

  /** Places the graph's outputs in the memory that the caller gives, by copies where a kernel does not write there. */
  #placeOutputs(): Pick<Lowered, 'outputs' | 'donations'> {
    const donations: { argument: Storage; output: Placement }[] = [];
    const copies: [from: Placement, to: Placement][] = [];
    const used = new Set<Storage>();
    const outputs = this.#graph.outputs.map((value, index): Placement => {
      const placement = this.#read(this.#graph.resolve(value), true);
      const { storage, view } = placement;
      const donor = this.#donate[index];
      const donated = donor === undefined ? undefined : this.#argumentStorages[donor];
      const isWhole =
        view.offset === 0 && sizeOf(view.shape) === storage.size && isAligned(placement, this.#target);
      if (isWhole && storage === donated) return placement;
      const dense: Placement = { ...placement, view: denseView(value.shape) };
      // An output buffer arrives with old contents, so a storage with gaps, which must be zero, is copied into it.
      const isInternal = storage.external === undefined && storage.hasGaps !== true;
      if (isWhole && isInternal && !used.has(storage)) {
        used.add(storage);
        if (donated !== undefined) donations.push({ argument: donated, output: dense });
        return dense;
      }
      const to: Placement = {
        ...dense,
        storage: donated ?? newStorage(value, 'output', { kind: 'output', index }),
      };
      copies.push([placement, to]);
      return to;
    });
    // An argument that one of these copies overwrites and another one reads is first copied to a temporary.
    const overwritten = new Set(copies.map(([, to]) => to.storage));
    const safe = copies.map(([from, to]): [Placement, Placement] => {
      if (!overwritten.has(from.storage)) return [from, to];
      const temporary = densePlacement('copy', to.view.shape, to.storage.dtype);
      this.#copy(from, temporary);
      return [temporary, to];
    });
    for (const [from, to] of safe) this.#copy(from, to);
    return { outputs, donations };
  }
}

/** The number of a constant tensor; undefined for others. */
const constantValue = ({ node }: Value): number | undefined =>
  isOp(node, constantOp) ? node.attrs.value : undefined;

/** Whether a value is memory that no step writes. */
const isUninitialized = ({ node }: Value): boolean => isOp(node, emptyOp) || isOp(node, gapOp);

/** The output in the shape in which the op writes it. */
function reshapeResult({ resultShape }: FusedNode, placement: Placement): Placement {
  if (resultShape === undefined) return placement;
  const view = reshapeView(placement.view, resultShape);
  if (view === undefined)
    throw new GatewiseError(
      'internal',
      `plan: no view of [${placement.view.shape.join(', ')}] as [${resultShape.join(', ')}]`,
    );
  return { ...placement, view };
}
