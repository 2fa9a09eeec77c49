// One step of Elman's net with one unit, small enough to be checked with a pencil.
//
//   h = tanh(W_hx·x + W_hh·h₀)     x = 1, h₀ = 0
//   y = W_yh·h                     W_hx = 0.5, W_hh = 0.8, W_yh = 1
//   loss = ½(y − t)²               t = 0.5
//
// By hand: h = tanh(0.5) = 0.4621, y − t = −0.0379, and so
//   ∂loss/∂W_yh = (y − t)·h = −0.0175,
//   ∂loss/∂W_hx = (y − t)·W_yh·(1 − h²)·x = −0.0298,
//   ∂loss/∂W_hh = the same with h₀ in the place of x = 0.
import { valueAndGrad } from '../../src/train/index.ts';
import { add, mul, square, sub, tanh, type Runtime, type Value } from '../../src/index.ts';
import { main } from './support/main.ts';

interface Weights {
  readonly W_hx: Value;
  readonly W_hh: Value;
  readonly W_yh: Value;
}

function loss({ W_hx, W_hh, W_yh }: Weights, x: Value, h0: Value, target: Value): Value {
  const h = tanh(add(mul(W_hx, x), mul(W_hh, h0)));
  const y = mul(W_yh, h);
  return mul(0.5, square(sub(y, target)));
}

/** The loss and its gradient with respect to each weight. */
export async function elmanStep(runtime: Runtime) {
  // valueAndGrad makes a function of a function; compile plans it as one list of kernels.
  const step = runtime.compile(valueAndGrad(loss));
  const [value, gradient] = step({ W_hx: 0.5, W_hh: 0.8, W_yh: 1 }, 1, 0, 0.5);
  return {
    loss: await value.item(),
    W_hx: await gradient.W_hx.item(),
    W_hh: await gradient.W_hh.item(),
    W_yh: await gradient.W_yh.item(),
  };
}

await main(import.meta.url, async (runtime) => {
  const { loss, W_hx, W_hh, W_yh } = await elmanStep(runtime);
  console.log(`loss         ${loss}`);
  console.log(`∂loss/∂W_hx  ${W_hx}`);
  console.log(`∂loss/∂W_hh  ${W_hh}`);
  console.log(`∂loss/∂W_yh  ${W_yh}`);
});
