// Horizontal fusion of consecutive copies of one shape into one step with several outputs, as when the states of several
// layers are packed into one tensor. Each copy moves a few bytes, so one launch takes as long as each of them did.
import { sameShape } from '../core/shape.ts';
import { sameView, type View } from '../core/view.ts';
import { Expr, inputName } from '../expr/expr.ts';
import { isOp, type Op } from '../graph/value.ts';
import { elementwiseOp, type ElementwiseAttrs } from '../ops/elementwise.ts';
import type { LoweredStep } from './lower.ts';
import type { Placement, Storage } from './placement.ts';
import type { ExpressionLimits, Target } from './target.ts';

/** The steps with each run of copies that one elementwise launch can do joined into one step. */
export function joinCopies(steps: readonly LoweredStep[], target: Target): LoweredStep[] {
  const limits = target.kernel(elementwiseOp as Op).expression;
  if (limits === undefined) return [...steps];
  const groups: LoweredStep[][] = [];
  for (const step of steps) {
    const group = groups.at(-1);
    if (group !== undefined && canJoin(group, step, limits)) group.push(step);
    else groups.push([step]);
  }
  return groups.map((group) => (group.length === 1 ? group[0] : join(group)));
}

function isCopy(step: LoweredStep): boolean {
  if (!isOp(step, elementwiseOp)) return false;
  const { exprs } = step.attrs;
  return exprs.length === 1 && 'input' in exprs[0].kind;
}

/** Whether one launch can do a step along with the copies of a group. */
function canJoin(group: readonly LoweredStep[], step: LoweredStep, limits: ExpressionLimits): boolean {
  const all = [...group, step];
  if (all.length > limits.outputs || !all.every(isCopy)) return false;
  if (all.some((one) => one.memoised !== step.memoised)) return false;
  const storages = (pick: (of: LoweredStep) => readonly Placement[]): Set<Storage> =>
    new Set(all.flatMap((one) => pick(one).map(({ storage }) => storage)));
  const [read, written] = [storages(({ inputs }) => inputs), storages(({ outputs }) => outputs)];
  // The copies run in any order, so none may read what another writes; and each storage takes a binding.
  if ([...read].some((storage) => written.has(storage))) return false;
  if (read.size + written.size > limits.buffers) return false;
  const views = all.flatMap(({ inputs, outputs }) =>
    [...inputs, ...outputs].map(({ view }) => withoutUnitAxes(view)),
  );
  return views.every(({ shape }) => sameShape(shape, views[0].shape)) && limits.canAddress(views);
}

function join(group: readonly LoweredStep[]): LoweredStep {
  const simplify = (operand: Placement): Placement => ({ ...operand, view: withoutUnitAxes(operand.view) });
  const inputs: Placement[] = [];
  const exprs = group.map((step) => {
    const [source] = step.inputs.map(simplify);
    const index = inputs.findIndex(
      ({ storage, view }) => storage === source.storage && sameView(view, source.view),
    );
    return Expr.input(inputName(index < 0 ? inputs.push(source) - 1 : index));
  });
  const outputs = group.flatMap((step) => step.outputs.map(simplify));
  const attrs: ElementwiseAttrs = { exprs, shape: outputs[0].view.shape, label: 'copy' };
  return { ...group[0], attrs, inputs, outputs };
}

function withoutUnitAxes({ shape, strides, offset }: View): View {
  const axes = shape.flatMap((n, axis) => (n === 1 ? [] : [axis]));
  return { shape: axes.map((axis) => shape[axis]), strides: axes.map((axis) => strides[axis]), offset };
}
