// The least time that a workload can take on an adapter in the ways that WebGPU has portably: its work over the adapter's
// measured rates. Whoever computes it has to do so many multiply-adds, move so many bytes, wait for so many steps that
// need each other, by a launch for each step or by one workgroup for each tile of rows.
import { bandwidthFor, type Calibration } from '../src/index.ts';
import type { RecurrentKind, Workload } from './workloads.ts';

export type Bound = 'compute' | 'bandwidth' | 'dispatch' | 'barrier' | 'round trip';

export interface Floor {
  /** Milliseconds. */
  readonly time: number;
  /** What takes the largest part of it. */
  readonly bound: Bound;
}

/** Milliseconds by what they are spent on. */
type Parts = Partial<Record<Bound, number>>;

/** Gates, states, and what a training step stores for each unit beside the states. */
const cells: Readonly<Record<RecurrentKind, { gates: number; states: number }>> = {
  lstm: { gates: 4, states: 2 },
  gru: { gates: 3, states: 1 },
  rnn: { gates: 1, states: 1 },
};
const FLOAT = 4;
/** Weights of one workgroup that registers and workgroup memory may hold over a whole sequence, in bytes. */
const HELD_WEIGHTS = 128 * 1024;
/** Of Adam, for each parameter: reads p, g, m, v and writes p, m, v. */
const ADAM_BYTES = 7 * FLOAT;

const total = (parts: Parts): number => Object.values(parts).reduce((sum, part) => sum + part, 0);
const sum = (...all: readonly Parts[]): Parts => {
  const added: Parts = {};
  for (const parts of all)
    for (const [bound, part] of Object.entries(parts) as [Bound, number][])
      added[bound] = (added[bound] ?? 0) + part;
  return added;
};
const times = (parts: Parts, factor: number): Parts =>
  Object.fromEntries(Object.entries(parts).map(([bound, part]) => [bound, part * factor]));
const least = (...all: readonly Parts[]): Parts => all.reduce((a, b) => (total(b) < total(a) ? b : a));
/** What can go on side by side takes as long as the longest. */
const longest = (...all: readonly Parts[]): Parts => all.reduce((a, b) => (total(b) > total(a) ? b : a));

class Model {
  readonly #calibration: Calibration;

  constructor(calibration: Calibration) {
    this.#calibration = calibration;
  }

  compute(flop: number): Parts {
    return { compute: (1e3 * flop) / this.#calibration.flopPerSecond };
  }

  bandwidth(bytes: number): Parts {
    return { bandwidth: (1e3 * bytes) / bandwidthFor(this.#calibration, bytes) };
  }

  dispatch(): Parts {
    return { dispatch: 1e3 * this.#calibration.dispatchSeconds };
  }

  roundTrip(): Parts {
    return { 'round trip': 1e3 * this.#calibration.roundTripSeconds };
  }

  /** A product (M, K) · (K, N): one launch, its FLOP or its bytes, whichever takes longest. */
  product(M: number, K: number, N: number): Parts {
    return longest(
      this.dispatch(),
      this.compute(2 * M * K * N),
      this.bandwidth(FLOAT * (M * K + K * N + M * N)),
    );
  }

  /** The recurrent part of one step of a layer in all its directions, with a launch of its own. */
  #byStep(cell: RecurrentKind, B: number, H: number, directions: number): Parts {
    const { gates, states } = cells[cell];
    const weights = FLOAT * gates * H * H * directions;
    const activations = FLOAT * B * H * (gates + 2 * states) * directions;
    return longest(
      this.dispatch(),
      this.compute(2 * gates * H * H * B * directions),
      sum(this.bandwidth(weights), this.bandwidth(activations)),
    );
  }

  /**
   * The same as a share of one launch for the whole sequence: a workgroup for each tile of rows, which loads its weights
   * at every step unless it can hold them, and a barrier.
   */
  #bySequence(cell: RecurrentKind, B: number, H: number, directions: number): Parts {
    const { gates } = cells[cell];
    const { flopPerSecond, oneWorkgroupFlopPerSecond, oneWorkgroupBandwidth, barrierSeconds } =
      this.#calibration;
    const weights = FLOAT * gates * H * H;
    const side = Math.max(1, flopPerSecond / oneWorkgroupFlopPerSecond);
    const load =
      weights <= HELD_WEIGHTS
        ? 0
        : (1e3 * weights) / bandwidthFor({ bandwidth: oneWorkgroupBandwidth }, weights);
    const tiles = [1, 2, 4, 8, 16].filter((rows) => rows === 1 || rows <= B);
    const options = tiles.map((rows) => {
      const waves = Math.max(1, (Math.ceil(B / rows) * directions) / side);
      const work = { compute: (1e3 * 2 * gates * H * H * rows) / oneWorkgroupFlopPerSecond };
      return times(sum(longest(work, { bandwidth: load }), { barrier: 1e3 * barrierSeconds }), waves);
    });
    return least(...options);
  }

  recurrent(cell: RecurrentKind, T: number, B: number, H: number, directions = 1): Parts {
    return times(least(this.#byStep(cell, B, H, directions), this.#bySequence(cell, B, H, directions)), T);
  }
}

/** @param latency of one run with its result, or else its share of many back to back. */
function partsOf(workload: Workload, calibration: Calibration): Parts {
  const model = new Model(calibration);
  switch (workload.kind) {
    case 'sequence': {
      const { cell, steps: T, batch: B, inputSize, hiddenSize: H, numLayers, bidirectional } = workload;
      const directions = bidirectional ? 2 : 1;
      const { gates } = cells[cell];
      const layers = Array.from({ length: numLayers }, (_, layer) => {
        const width = layer === 0 ? inputSize : directions * H;
        return sum(
          model.product(T * B, width, gates * H * directions),
          model.recurrent(cell, T, B, H, directions),
        );
      });
      return sum(...layers);
    }
    case 'stream': {
      const { cell, inputSize, hiddenSize: H } = workload;
      const { gates } = cells[cell];
      const flop = 2 * gates * H * (H + inputSize);
      // The result is on the CPU each time.
      const step = longest(model.dispatch(), model.compute(flop), model.bandwidth(2 * flop));
      return sum(model.roundTrip(), step);
    }
    case 'training': {
      const { cell, steps: T, batch: B, classes, hiddenSize: H } = workload;
      const { gates } = cells[cell];
      const parameters = gates * H * (classes + H + 2) + classes * (H + 1);
      return sum(
        // Forward, and backward over the transposed weights.
        model.product(T * B, classes, gates * H),
        times(model.recurrent(cell, T, B, H), 2),
        // The gradients of weight_hh and weight_ih; none of the input, which is data.
        model.product(gates * H, T * B, H),
        model.product(gates * H, T * B, classes),
        // The linear layer: its output, and the gradients of its input and of its weight.
        model.product(T * B, H, classes),
        model.product(T * B, classes, H),
        model.product(classes, T * B, H),
        longest(model.dispatch(), model.bandwidth(ADAM_BYTES * parameters)),
      );
    }
    case 'matmul':
      return model.product(workload.rows, workload.inner, workload.columns);
  }
}

export function floorOf(workload: Workload, calibration: Calibration): Floor {
  const parts = partsOf(workload, calibration);
  const [bound] = (Object.entries(parts) as [Bound, number][]).reduce((a, b) => (b[1] > a[1] ? b : a));
  return { time: total(parts), bound };
}

/** As measured by the registers, but with another rate of multiply-adds: that of a real product. */
export function withRate(calibration: Calibration, flopPerSecond: number): Calibration {
  const { flopPerSecond: whole, oneWorkgroupFlopPerSecond } = calibration;
  return {
    ...calibration,
    flopPerSecond,
    oneWorkgroupFlopPerSecond: (oneWorkgroupFlopPerSecond * flopPerSecond) / whole,
  };
}
