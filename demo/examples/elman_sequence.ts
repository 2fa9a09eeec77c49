// Backpropagation through time, written as the formula in the book:
//
//   h_t = tanh(W_hhᵀ·h_{t−1} + W_xhᵀ·x_t)
//   y_t = W_hyᵀ·h_t
//
// A loop in the function is a chain in the graph, so its gradient runs back through time by itself. The built-in
// cell does the same with one product for the inputs of all steps and one kernel a step; both must give the same
// numbers.
import { valueAndGrad } from '../../src/train/index.ts';
import {
  add,
  elmanTanh,
  matmul,
  mul,
  recurrent,
  reshape,
  slice,
  square,
  sub,
  sum,
  tanh,
  transpose,
  zeros,
  type Runtime,
  type Value,
} from '../../src/index.ts';
import { main } from './support/main.ts';

const STEPS = 6;
const HIDDEN = 3;

interface Weights {
  readonly W_xh: Value;
  readonly W_hh: Value;
  readonly W_hy: Value;
}

/** ½ Σ (y_t − target_t)², over outputs (T, 1). */
const halfSquares = (y: Value, target: Value): Value => mul(0.5, sum(square(sub(y, target))));

/** Step by step. A vector is a row here, so Wᵀ·x is written x·W. */
function byHand({ W_xh, W_hh, W_hy }: Weights, x: Value, target: Value): Value {
  let h = zeros([1, HIDDEN]);
  let loss = zeros([]);
  for (let t = 0; t < STEPS; t++) {
    const x_t = slice(x, 0, t, t + 1);
    h = tanh(add(matmul(h, W_hh), matmul(x_t, W_xh)));
    const y_t = matmul(h, W_hy);
    loss = add(loss, halfSquares(y_t, slice(target, 0, t, t + 1)));
  }
  return loss;
}

/** The whole sequence at once. The cell multiplies by W_hhᵀ, as PyTorch does. */
function builtIn({ W_xh, W_hh, W_hy }: Weights, x: Value, target: Value): Value {
  const products = reshape(matmul(x, W_xh), [STEPS, 1, HIDDEN]);
  const { output } = recurrent(elmanTanh, products, transpose(W_hh), zeros([1, 1, HIDDEN]));
  return halfSquares(matmul(reshape(output, [STEPS, HIDDEN]), W_hy), target);
}

export const weights = {
  W_xh: [
    [0.5, -0.3, 0.8],
    [-0.2, 0.7, 0.1],
  ],
  W_hh: [
    [0.4, -0.6, 0.2],
    [0.1, 0.9, -0.5],
    [-0.7, 0.3, 0.6],
  ],
  W_hy: [[1], [-0.5], [0.25]],
};
export const x = [
  [1, 0],
  [0, -1],
  [-1, 0.5],
  [0.5, 0.5],
  [-0.25, 1],
  [0, 0.75],
];
export const target = [[1], [0], [-0.5], [0.5], [1], [1]];

async function lossAndGradient(runtime: Runtime, fn: typeof byHand) {
  const [loss, { W_xh, W_hh, W_hy }] = runtime.compile(valueAndGrad(fn))(weights, x, target);
  return {
    loss: await loss.item(),
    W_xh: [...(await W_xh.read())],
    W_hh: [...(await W_hh.read())],
    W_hy: [...(await W_hy.read())],
  };
}

/** Loss and gradients of the loop written by hand and of the built-in cell. */
export async function elmanSequence(runtime: Runtime) {
  return {
    byHand: await lossAndGradient(runtime, byHand),
    builtIn: await lossAndGradient(runtime, builtIn),
  };
}

await main(import.meta.url, async (runtime) => {
  const { byHand, builtIn } = await elmanSequence(runtime);
  const show = (numbers: readonly number[]): string => numbers.map((n) => n.toFixed(6)).join(' ');
  console.log(`loss  by hand ${byHand.loss.toFixed(6)}, built in ${builtIn.loss.toFixed(6)}`);
  for (const name of ['W_xh', 'W_hh', 'W_hy'] as const) {
    console.log(`∂loss/∂${name}  by hand  ${show(byHand[name])}`);
    console.log(`             built in ${show(builtIn[name])}`);
  }
});
