// The floor of a workload: the least time that it can take on an adapter, its work over the adapter's measured rates. Work is
// multiply-adds, bytes moved, and steps that depend on each other. Such steps run in the faster of the two ways that WebGPU has
// portably: a launch for each step, or one launch with a workgroup for each tile of rows.
import { bandwidthFor, type Calibration } from '../src/plan/calibration.ts';
import { GATES } from './data.ts';
import type { RecurrentKind, Workload } from './workloads.ts';

const STATES = { lstm: 2, gru: 1, rnn: 1 } as const;
const FLOAT = 4;
/** Weights that registers and workgroup memory of one workgroup may hold over a whole sequence, in bytes. */
const HELD_WEIGHTS = 128 * 1024;
/** Adam reads p, g, m, v of each parameter and writes p, m, v. */
const ADAM_BYTES = 7 * FLOAT;

/** Seconds of one launch: the longest of its dispatch, its arithmetic and its memory traffic, which overlap. */
function launch(calibration: Calibration, flop: number, ...bytes: readonly number[]): number {
  const moving = bytes.reduce((sum, part) => sum + part / bandwidthFor(calibration, part), 0);
  return Math.max(calibration.dispatchSeconds, flop / calibration.flopPerSecond, moving);
}

/** Seconds of a product (M, K) · (K, N). */
const product = (calibration: Calibration, M: number, K: number, N: number): number =>
  launch(calibration, 2 * M * K * N, FLOAT * (M * K + K * N + M * N));

/** Seconds of one step's recurrent part of a layer, in all its directions. */
function recurrentStep(
  calibration: Calibration,
  cell: RecurrentKind,
  B: number,
  H: number,
  directions: number,
): number {
  const { flopPerSecond, oneWorkgroupFlopPerSecond, oneWorkgroupBandwidth, barrierSeconds } = calibration;
  const weights = FLOAT * GATES[cell] * H * H;
  // Either a launch for each step.
  const values = FLOAT * B * H * (GATES[cell] + 2 * STATES[cell]) * directions;
  const ownLaunch = launch(calibration, (2 * weights * B * directions) / FLOAT, weights * directions, values);
  // Or a share of one launch for the whole sequence: a workgroup for each tile of rows, which loads its weights at every
  // step unless it can hold them, and a barrier.
  const side = Math.max(1, flopPerSecond / oneWorkgroupFlopPerSecond);
  const load = weights / bandwidthFor({ bandwidth: oneWorkgroupBandwidth }, weights);
  const tiles = [1, 2, 4, 8, 16].filter((rows) => rows === 1 || rows <= B);
  const shares = tiles.map((rows) => {
    const waves = Math.max(1, (Math.ceil(B / rows) * directions) / side);
    const compute = (2 * weights * rows) / FLOAT / oneWorkgroupFlopPerSecond;
    return waves * (Math.max(compute, weights <= HELD_WEIGHTS ? 0 : load) + barrierSeconds);
  });
  return Math.min(ownLaunch, ...shares);
}

function secondsOf(workload: Workload, calibration: Calibration): number {
  const productOf = (M: number, K: number, N: number): number => product(calibration, M, K, N);
  switch (workload.kind) {
    case 'sequence': {
      const { cell, steps: T, batch: B, inputSize, hiddenSize: H, numLayers, bidirectional } = workload;
      const directions = bidirectional ? 2 : 1;
      const inputOf = (width: number): number => productOf(T * B, width, GATES[cell] * H * directions);
      const loop = T * recurrentStep(calibration, cell, B, H, directions);
      return inputOf(inputSize) + (numLayers - 1) * inputOf(directions * H) + numLayers * loop;
    }
    case 'stream': {
      const { cell, inputSize, hiddenSize: H } = workload;
      const flop = 2 * GATES[cell] * H * (H + inputSize);
      return calibration.roundTripSeconds + launch(calibration, flop, 2 * flop);
    }
    case 'training': {
      const { cell, steps: T, batch: B, classes, hiddenSize: H } = workload;
      const width = GATES[cell] * H;
      const parameters = width * (classes + H + 2) + classes * (H + 1);
      const parts = [
        // Forward, and backward over the transposed weights.
        productOf(T * B, classes, width),
        2 * T * recurrentStep(calibration, cell, B, H, 1),
        // The gradients of weight_hh and weight_ih; none of the input, which is data.
        productOf(width, T * B, H),
        productOf(width, T * B, classes),
        // The linear layer: its output, and the gradients of its input and of its weight.
        productOf(T * B, H, classes),
        productOf(T * B, classes, H),
        productOf(classes, T * B, H),
        launch(calibration, 0, ADAM_BYTES * parameters),
      ];
      return parts.reduce((sum, part) => sum + part, 0);
    }
    case 'matmul':
      return productOf(workload.rows, workload.inner, workload.columns);
    case 'embedding': {
      const { rows, columns, count } = workload;
      return launch(calibration, count * columns, FLOAT * rows * columns, FLOAT * count * (columns + 1));
    }
  }
}

/** Milliseconds. */
export const floorOf = (workload: Workload, calibration: Calibration): number =>
  1e3 * secondsOf(workload, calibration);
