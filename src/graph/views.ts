// Resolves chains of views to the value that owns the memory.
import { denseView, sameView, transposeView, type View } from '../core/view.ts';
import type { Value } from './value.ts';

/** The value that `value` views; `value` itself if it is not a view. */
export function resolveViews(value: Value): { readonly base: Value; readonly view: View } {
  const { node, index } = value;
  const viewOp = node?.op.view;
  if (node !== undefined && viewOp !== undefined) {
    const { base, view } = resolveViews(node.inputs[node.op.viewOf?.(index) ?? 0]);
    const viewOfBase = viewOp(node.attrs, view, index);
    if (viewOfBase !== undefined) return { base, view: viewOfBase };
  }
  return { base: value, view: denseView(value.shape) };
}

/** Whether a view covers a whole matrix, or its whole transpose; undefined if neither. */
export function isTransposed({
  base,
  view,
}: {
  readonly base: Value;
  readonly view: View;
}): boolean | undefined {
  const whole = denseView(base.shape);
  if (sameView(view, whole)) return false;
  return base.shape.length === 2 && sameView(view, transposeView(whole, [1, 0])) ? true : undefined;
}
