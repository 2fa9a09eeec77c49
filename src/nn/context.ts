// The context of a forward pass: random numbers, and lengths or a mask.
import type { Value } from '../graph/value.ts';
import type { Capture } from './capture.ts';

/** Random numbers of one training step: a seed on the device, and a stream for each layer that draws. */
export class Noise {
  /** i32 (2): the trainer's seed and the number of the step, the key of the counter-based generator. */
  readonly seed: Value;
  #streams = 0;

  constructor(seed: Value) {
    this.seed = seed;
  }

  /** The next stream. Layers ask in the order in which they run, so a model draws the same numbers on every trace. */
  stream(): number {
    return this.#streams++;
  }
}

export interface Context {
  /** States and gates that are to be shown; absent unless asked for. A layer made of layers passes on `capture?.within(NAME)`. */
  readonly capture?: Capture;
  /** The random numbers of dropout and zoneout; absent in inference. */
  readonly noise?: Noise;
  /**
   * i32 (B), each 1 to T, in any order: the number of valid steps of each sequence, as in PyTorch's packed sequences.
   * Recurrent layers output 0 past a sequence's end, and their reverse direction starts there.
   */
  readonly lengths?: Value;
  /**
   * f32 (T, B), or (B, T) with `batchFirst`: 1 for steps that count and 0 for masked ones, in any pattern, as in Keras. Layers
   * treat any other number as 1; `run` and `step` refuse it in host data. A recurrent layer carries its states over a masked
   * step and repeats its output there, in both directions; Keras's Bidirectional outputs 0 there.
   */
  readonly mask?: Value;
}
