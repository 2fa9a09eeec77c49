// What a forward pass is told beside its input, its parameters and its states.
import type { Value } from '../graph/value.ts';

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
  /** What dropout and zoneout draw from. Absent: inference, which has none of them. */
  readonly noise?: Noise;
  /**
   * i32 (B), each 1 to T, in any order: the valid steps of each sequence, as PyTorch's packed sequences have them.
   * Recurrent layers give 0 past a sequence's end, their reverse direction starts at it.
   */
  readonly lengths?: Value;
  /**
   * f32 (T, B), or (B, T) with `batchFirst`; 1 where a step counts and 0 where it is masked, in any pattern, as Keras
   * has it; any other number counts, too, where `run` and `step` refuse it. A recurrent layer carries its states over a masked step and repeats its output there, in both directions
   * (inside Keras's Bidirectional the output of a masked step is 0 instead).
   */
  readonly mask?: Value;
}
