// What layers that share launches have to do in each: whether they had better is a device's to say.
import { flopOf, RecurrentLayout, type LayoutAttrs } from './recurrent_layout.ts';
import { packedSize } from './recurrent_pack.ts';

/** A step of all layers, on the way back, which has the longer products. */
export interface StackedStep {
  readonly flop: number;
  /** Of the weights of all layers, and of one that runs by itself. */
  readonly bytes: number;
  readonly layerBytes: number;
}

/** @param attrs of the layers, as chains. */
export function stackedStep(attrs: Omit<LayoutAttrs, 'stacked'>, batch: number): StackedStep {
  const layout = new RecurrentLayout({ ...attrs, stacked: true });
  return {
    flop: layout.chains * batch * flopOf(layout, layout.program.backward),
    bytes: 4 * packedSize(layout, true),
    layerBytes: 4 * packedSize(new RecurrentLayout({ ...attrs, chains: 1 }), true),
  };
}
