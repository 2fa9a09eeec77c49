// What a value is once the views in front of it are resolved.
import { denseView, sameView, transposeView, type View } from '../core/view.ts';
import type { Value } from './value.ts';

/** The value that `value` is a view of; itself where it is none. */
export function resolveViews(value: Value): { readonly base: Value; readonly view: View } {
  const { node, index } = value;
  const lookAt = node?.op.view;
  if (node !== undefined && lookAt !== undefined) {
    const { base, view } = resolveViews(node.inputs[node.op.viewOf?.(index) ?? 0]);
    const own = lookAt(node.attrs, view, index);
    if (own !== undefined) return { base, view: own };
  }
  return { base: value, view: denseView(value.shape) };
}

/** Whether a view is all of a matrix, or all of its transpose; undefined where it is neither. */
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
