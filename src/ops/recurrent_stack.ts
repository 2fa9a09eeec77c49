// Whether layers had better share launches, each a step behind the one below, or run one after the other.
import { flopOf, RecurrentLayout, type LayoutAttrs } from './recurrent_layout.ts';
import { packedSize } from './recurrent_pack.ts';
import { streamsWell } from './recurrent_shape.ts';

/**
 * Whether a launch of a step of all layers costs about as much as one of a single layer. Layers that a workgroup runs by itself
 * need a launch each and not one for each step: they are left to that.
 * @param attrs of the layers, as chains.
 */
export function isWorthStacking(
  attrs: Omit<LayoutAttrs, 'stacked'>,
  batch: number,
  isLaunchBound: (flop: number, bytes: number) => boolean,
): boolean {
  const alone = new RecurrentLayout({ ...attrs, chains: 1 });
  if (streamsWell(4 * packedSize(alone, false))) return false;
  const layout = new RecurrentLayout({ ...attrs, stacked: true });
  const flop = layout.chains * batch * flopOf(layout, layout.program.backward);
  return isLaunchBound(flop, 4 * packedSize(layout, true));
}
