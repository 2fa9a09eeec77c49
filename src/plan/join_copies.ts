// Merges consecutive copies of one shape into one step, such as those of several states into one tensor. Each copies only a few
// bytes, so the launch dominates its cost.
import { sameShape } from '../core/shape.ts';
import { sameView, type View } from '../core/view.ts';
import { Expr } from '../expr/expr.ts';
import { inputName } from '../expr/operands.ts';
import type { Op } from '../graph/value.ts';
import { elementwiseOp, type ElementwiseAttrs } from '../ops/elementwise.ts';
import type { LoweredStep } from './lower.ts';
import type { Placement, Storage } from './placement.ts';
import type { ExpressionLimits, Target } from './target.ts';

export function joinCopies(steps: readonly LoweredStep[], target: Target): LoweredStep[] {
  const limits = target.kernel(elementwiseOp as Op).expression;
  if (limits === undefined) return [...steps];
  const joined: LoweredStep[][] = [];
  for (const step of steps) {
    const group = joined.at(-1);
    if (group !== undefined && fits(group, step, limits)) group.push(step);
    else joined.push([step]);
  }
  return joined.map((group) => (group.length === 1 ? group[0] : join(group)));
}

function isCopy({ op, attrs }: LoweredStep): boolean {
  if (op.name !== elementwiseOp.name) return false;
  const { exprs } = attrs as ElementwiseAttrs;
  return exprs.length === 1 && 'input' in exprs[0].kind;
}

/** Whether a copy can run in the same launch as those of a group. */
function fits(group: readonly LoweredStep[], step: LoweredStep, limits: ExpressionLimits): boolean {
  const all = [...group, step];
  if (all.length > limits.outputs || !all.every(isCopy)) return false;
  if (all.some((one) => one.memoised !== step.memoised || one.prefetchable !== step.prefetchable))
    return false;
  const storages = (pick: (of: LoweredStep) => readonly Placement[]): Set<Storage> =>
    new Set(all.flatMap((one) => pick(one).map(({ storage }) => storage)));
  const [read, written] = [storages(({ inputs }) => inputs), storages(({ outputs }) => outputs)];
  // No copy may read what another one writes, and each needs a binding.
  if ([...read].some((storage) => written.has(storage))) return false;
  if (read.size + written.size > limits.buffers) return false;
  const views = all.flatMap(({ inputs, outputs }) => [...inputs, ...outputs].map(({ view }) => flat(view)));
  return views.every(({ shape }) => sameShape(shape, views[0].shape)) && limits.walks(views);
}

function join(group: readonly LoweredStep[]): LoweredStep {
  const flatten = (place: Placement): Placement => ({ ...place, view: flat(place.view) });
  const inputs: Placement[] = [];
  const exprs = group.map((step) => {
    const [place] = step.inputs.map(flatten);
    // A source with two destinations is read once.
    const known = inputs.findIndex(
      ({ storage, view }) => storage === place.storage && sameView(view, place.view),
    );
    return Expr.input(inputName(known < 0 ? inputs.push(place) - 1 : known));
  });
  const outputs = group.flatMap((step) => step.outputs.map(flatten));
  const attrs: ElementwiseAttrs = { exprs, shape: outputs[0].view.shape, label: 'copy' };
  return { ...group[0], attrs, inputs, outputs };
}

/** Removes axes of size 1, which do not affect the walk. */
function flat({ shape, strides, offset }: View): View {
  const axes = shape.flatMap((n, axis) => (n === 1 ? [] : [axis]));
  return { shape: axes.map((axis) => shape[axis]), strides: axes.map((axis) => strides[axis]), offset };
}
