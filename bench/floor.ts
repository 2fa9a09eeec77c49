// The least time that a workload can take on an adapter in the ways that WebGPU has portably: its work over the adapter's
// measured rates. Whoever computes it has to do so many multiply-adds, move so many bytes, wait for so many steps that
// need each other, by a launch for each step or by one workgroup for each tile of rows.
import { bandwidthFor, type Calibration } from '../src/index.ts';
import type { RecurrentKind, Workload } from './workloads.ts';

export interface Floor {
  /** Milliseconds. */
  readonly time: number;
  /** What takes the largest part of it. */
  readonly bound: 'compute' | 'bandwidth' | 'dispatch' | 'barrier' | 'round trip';
}

/** Times that add up. */
type Cost = readonly Floor[];

/** Gates, and states. */
const cells: Readonly<Record<RecurrentKind, { gates: number; states: number }>> = {
  lstm: { gates: 4, states: 2 },
  gru: { gates: 3, states: 1 },
  rnn: { gates: 1, states: 1 },
};
const FLOAT = 4;
/** Weights that registers and workgroup memory of one workgroup may hold over a whole sequence, in bytes. */
const HELD_WEIGHTS = 128 * 1024;
/** Adam reads p, g, m, v of each parameter and writes p, m, v. */
const ADAM_BYTES = 7 * FLOAT;

const total = (cost: Cost): number => cost.reduce((sum, { time }) => sum + time, 0);
const times = (cost: Cost, factor: number): Cost =>
  cost.map(({ bound, time }) => ({ bound, time: time * factor }));
const least = (...all: readonly Cost[]): Cost => all.reduce((a, b) => (total(b) < total(a) ? b : a));
/** What can go on side by side takes as long as the longest. */
const longest = (...all: readonly Cost[]): Cost => all.reduce((a, b) => (total(b) > total(a) ? b : a));

class Model {
  readonly #calibration: Calibration;

  constructor(calibration: Calibration) {
    this.#calibration = calibration;
  }

  #seconds(bound: Floor['bound'], seconds: number): Cost {
    return [{ bound, time: 1e3 * seconds }];
  }

  /** One launch that does so many FLOP and moves so many bytes. */
  launch(flop: number, ...bytes: readonly number[]): Cost {
    const { dispatchSeconds, flopPerSecond } = this.#calibration;
    const seconds = bytes.reduce((sum, part) => sum + part / bandwidthFor(this.#calibration, part), 0);
    return longest(
      this.#seconds('dispatch', dispatchSeconds),
      this.#seconds('compute', flop / flopPerSecond),
      this.#seconds('bandwidth', seconds),
    );
  }

  roundTrip(): Cost {
    return this.#seconds('round trip', this.#calibration.roundTripSeconds);
  }

  /** A product (M, K) · (K, N). */
  product(M: number, K: number, N: number): Cost {
    return this.launch(2 * M * K * N, FLOAT * (M * K + K * N + M * N));
  }

  /** The recurrent part of one step of a layer in all its directions, with a launch of its own. */
  #byStep(cell: RecurrentKind, B: number, H: number, directions: number): Cost {
    const { gates, states } = cells[cell];
    const weights = FLOAT * gates * H * H * directions;
    return this.launch((2 * weights * B) / FLOAT, weights, FLOAT * B * H * (gates + 2 * states) * directions);
  }

  /**
   * The same as a share of one launch for the whole sequence: a workgroup for each tile of rows, which loads its weights
   * at every step unless it can hold them, and a barrier.
   */
  #bySequence(cell: RecurrentKind, B: number, H: number, directions: number): Cost {
    const { flopPerSecond, oneWorkgroupFlopPerSecond, oneWorkgroupBandwidth, barrierSeconds } =
      this.#calibration;
    const weights = FLOAT * cells[cell].gates * H * H;
    const side = Math.max(1, flopPerSecond / oneWorkgroupFlopPerSecond);
    const load = weights / bandwidthFor({ bandwidth: oneWorkgroupBandwidth }, weights);
    const tiles = [1, 2, 4, 8, 16].filter((rows) => rows === 1 || rows <= B);
    const options = tiles.map((rows) => {
      const waves = Math.max(1, (Math.ceil(B / rows) * directions) / side);
      const work = longest(
        this.#seconds('compute', (2 * weights * rows) / FLOAT / oneWorkgroupFlopPerSecond),
        this.#seconds('bandwidth', weights <= HELD_WEIGHTS ? 0 : load),
      );
      return times([...work, ...this.#seconds('barrier', barrierSeconds)], waves);
    });
    return least(...options);
  }

  recurrent(cell: RecurrentKind, T: number, B: number, H: number, directions = 1): Cost {
    return times(least(this.#byStep(cell, B, H, directions), this.#bySequence(cell, B, H, directions)), T);
  }
}

function costOf(workload: Workload, model: Model): Cost {
  switch (workload.kind) {
    case 'sequence': {
      const { cell, steps: T, batch: B, inputSize, hiddenSize: H, numLayers, bidirectional } = workload;
      const directions = bidirectional ? 2 : 1;
      const layers = Array.from({ length: numLayers }, (_, layer) => {
        const width = layer === 0 ? inputSize : directions * H;
        const input = model.product(T * B, width, cells[cell].gates * H * directions);
        return [...input, ...model.recurrent(cell, T, B, H, directions)];
      });
      return layers.flat();
    }
    case 'stream': {
      const { cell, inputSize, hiddenSize: H } = workload;
      const flop = 2 * cells[cell].gates * H * (H + inputSize);
      return [...model.roundTrip(), ...model.launch(flop, 2 * flop)];
    }
    case 'training': {
      const { cell, steps: T, batch: B, classes, hiddenSize: H } = workload;
      const width = cells[cell].gates * H;
      const parameters = width * (classes + H + 2) + classes * (H + 1);
      return [
        // Forward, and backward over the transposed weights.
        model.product(T * B, classes, width),
        times(model.recurrent(cell, T, B, H), 2),
        // The gradients of weight_hh and weight_ih; none of the input, which is data.
        model.product(width, T * B, H),
        model.product(width, T * B, classes),
        // The linear layer: its output, and the gradients of its input and of its weight.
        model.product(T * B, H, classes),
        model.product(T * B, classes, H),
        model.product(classes, T * B, H),
        model.launch(0, ADAM_BYTES * parameters),
      ].flat();
    }
    case 'matmul':
      return model.product(workload.rows, workload.inner, workload.columns);
  }
}

export function floorOf(workload: Workload, calibration: Calibration): Floor {
  const cost = costOf(workload, new Model(calibration));
  const partOf = (of: Floor['bound']): number => total(cost.filter(({ bound }) => bound === of));
  const { bound } = cost.reduce((a, b) => (partOf(b.bound) > partOf(a.bound) ? b : a));
  return { time: total(cost), bound };
}

/** A calibration with another rate of multiply-adds: that of a real product in place of the registers'. */
export function withRate(calibration: Calibration, flopPerSecond: number): Calibration {
  const share = calibration.oneWorkgroupFlopPerSecond / calibration.flopPerSecond;
  return { ...calibration, flopPerSecond, oneWorkgroupFlopPerSecond: share * flopPerSecond };
}
