// Optimizers as expressions over one element: the parameter p, its gradient g and the optimizer's states of that element.
// All parameters are one flat tensor, so the update of a model is one elementwise kernel.
import { GatewiseError, show } from '../core/errors.ts';
import {
  flag,
  nonNegative,
  option,
  probability,
  readOptions,
  type Complete,
  type Option,
} from '../core/options.ts';
import { add, div, maximum, mul, sqrt, square, sub } from '../expr/arith.ts';
import type { Expr } from '../expr/expr.ts';

export type Scalars = Readonly<Record<string, Expr>>;

/**
 * A number, or a schedule: a function from the number of updates made so far (0 before the first) to the rate. torch's
 * LambdaLR counts the same way if its scheduler steps after each update; its factor times the base rate is the rate here.
 *
 * Half a cosine from 1e-3 to 0 over 1000 updates: `(step) => 5e-4 * (1 + Math.cos(Math.PI * Math.min(step / 1000, 1)))`.
 * A warmup to 1e-3 in 100 updates: `(step) => 1e-3 * Math.min(1, (step + 1) / 100)`.
 */
export type LearningRate = number | ((step: number) => number);

export interface Optimizer {
  readonly name: string;
  /** Names of the states: each has one number per parameter element and starts at zero. */
  readonly states: readonly string[];
  /** The learning rate until `trainer.learningRate` is set. */
  readonly lr: LearningRate;
  /** Numbers that change from step to step, computed on the host in float64. @param step The step, counted from 1. */
  readonly scalars: (step: number, lr: number) => Readonly<Record<string, number>>;
  /** New p and states. @param values p, g and the states. @param scalars By the names that `scalars` returns. */
  readonly update: (values: Scalars, scalars: Scalars) => Scalars;
}

export const learningRate = /* @__NO_SIDE_EFFECTS__ */ (fallback?: LearningRate): Option<LearningRate> => {
  const { expected, accepts } = nonNegative();
  const isRate = (value: unknown): boolean => typeof value === 'function' || accepts(value);
  return option(`${expected}, or a function of the step`, isRate, fallback);
};

/** The rate of the update after `step` updates. @throws GatewiseError `argument` if a schedule returns no valid rate. */
export function rateAt(rate: LearningRate, step: number): number {
  const value = typeof rate === 'number' ? rate : rate(step);
  if (!(Number.isFinite(value) && value >= 0))
    throw new GatewiseError(
      'argument',
      `trainer: the learning rate must be finite and at least 0, but its function gave ${show(value)} for step ${step} (the first is 0)`,
    );
  return value;
}

export interface SGDOptions {
  readonly lr: LearningRate;
  /** 0 unless given. */
  readonly momentum?: number;
  /** From the second step on, (1 - dampening) times the gradient is added to the momentum; 0 unless given. */
  readonly dampening?: number;
  /** L2 penalty: weightDecay times the parameter is added to its gradient; 0 unless given. */
  readonly weightDecay?: number;
  /** Nesterov's momentum, which needs a momentum and no dampening; false unless given. */
  readonly nesterov?: boolean;
}

const SGD = {
  lr: learningRate(),
  momentum: nonNegative(0),
  dampening: nonNegative(0),
  weightDecay: nonNegative(0),
  nesterov: flag(false),
};

/**
 * Stochastic gradient descent, as torch.optim.SGD: g ← g + weightDecay·p, b ← momentum·b + (1 - dampening)·g, at the first
 * step b ← g, and p ← p - lr·b; with `nesterov` p ← p - lr·(g + momentum·b).
 */
export function sgd(options: SGDOptions): Optimizer {
  const { lr, momentum, dampening, weightDecay, nesterov } = readOptions('sgd', SGD, options);
  if (nesterov && (momentum === 0 || dampening !== 0))
    throw new GatewiseError(
      'argument',
      `sgd: nesterov needs a momentum above 0 and a dampening of 0, got ${momentum} and ${dampening}`,
    );
  return {
    name: 'sgd',
    states: momentum === 0 ? [] : ['momentum_buffer'],
    lr,
    scalars: (step, rate) => ({
      lr: rate,
      ...(dampening !== 0 && { share: step === 1 ? 1 : 1 - dampening }),
    }),
    update: ({ p, g, momentum_buffer: buffer }, { lr: rate, share }) => {
      const gradient = add(g, mul(p, weightDecay));
      if (momentum === 0) return { p: sub(p, mul(rate, gradient)) };
      const next = add(mul(buffer, momentum), dampening === 0 ? gradient : mul(gradient, share));
      const direction = nesterov ? add(gradient, mul(next, momentum)) : next;
      return { p: sub(p, mul(rate, direction)), momentum_buffer: next };
    },
  };
}

export interface RMSpropOptions {
  /** 1e-2 unless given. */
  readonly lr?: LearningRate;
  /** Decay of the averages; 0.99 unless given. */
  readonly alpha?: number;
  /** 1e-8 unless given. */
  readonly eps?: number;
  /** L2 penalty: weightDecay times the parameter is added to its gradient; 0 unless given. */
  readonly weightDecay?: number;
  /** 0 unless given. */
  readonly momentum?: number;
  /** Divides by the standard deviation of the gradient instead of the root of its mean square; false unless given. */
  readonly centered?: boolean;
}

const RMSPROP = {
  lr: learningRate(1e-2),
  alpha: probability(0.99),
  eps: nonNegative(1e-8),
  weightDecay: nonNegative(0),
  momentum: nonNegative(0),
  centered: flag(false),
};

/**
 * RMSprop (Hinton's lectures, 2012; `centered`: Graves, 2013), as torch.optim.RMSprop: s ← alpha·s + (1 - alpha)·g²,
 * p ← p - lr·g / (√s + eps). With momentum b ← momentum·b + g / (√s + eps) and p ← p - lr·b.
 */
export function rmsprop(options: RMSpropOptions = {}): Optimizer {
  const { lr, alpha, eps, weightDecay, momentum, centered } = readOptions('rmsprop', RMSPROP, options);
  const average = (old: Expr, next: Expr): Expr => add(mul(old, alpha), mul(next, 1 - alpha));
  return {
    name: 'rmsprop',
    states: ['square_avg', ...(centered ? ['grad_avg'] : []), ...(momentum === 0 ? [] : ['momentum_buffer'])],
    lr,
    scalars: (_, rate) => ({ lr: rate }),
    update: ({ p, g, square_avg, grad_avg, momentum_buffer: buffer }, { lr: rate }) => {
      const gradient = add(g, mul(p, weightDecay));
      const squares = average(square_avg, square(gradient));
      const mean = centered ? average(grad_avg, gradient) : undefined;
      // Rounding could make the variance negative.
      const spread = mean === undefined ? squares : maximum(sub(squares, square(mean)), 0);
      const quotient = div(gradient, add(sqrt(spread), eps));
      const next = momentum === 0 ? quotient : add(mul(buffer, momentum), quotient);
      return {
        p: sub(p, mul(rate, next)),
        square_avg: squares,
        ...(mean !== undefined && { grad_avg: mean }),
        ...(momentum !== 0 && { momentum_buffer: next }),
      };
    },
  };
}

export interface AdamWOptions {
  /** 1e-3 unless given. */
  readonly lr?: LearningRate;
  /** Decay of the moments; [0.9, 0.999] unless given. */
  readonly betas?: readonly [number, number];
  /** 1e-8 unless given. */
  readonly eps?: number;
  /** `adam`: an L2 penalty, as in `sgd`; 0 unless given. `adamw`: decoupled weight decay; 1e-2 unless given. */
  readonly weightDecay?: number;
}

export interface AdamOptions extends AdamWOptions {
  /** Divides by the root of the largest second moment so far (Reddi et al., 2018); false unless given. */
  readonly amsgrad?: boolean;
}

/** The options with which an optimizer has these further states. */
export const STATE_OPTIONS: Readonly<Record<string, string>> = {
  momentum_buffer: 'momentum',
  grad_avg: 'centered: true',
  max_exp_avg_sq: 'amsgrad: true',
};

const isBeta = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value < 1;

const ADAMW = {
  lr: learningRate(1e-3),
  betas: option<readonly [number, number]>(
    'two numbers in [0, 1)',
    (value) => Array.isArray(value) && value.length === 2 && value.every(isBeta),
    [0.9, 0.999],
  ),
  eps: nonNegative(1e-8),
  weightDecay: nonNegative(1e-2),
};
const ADAM = { ...ADAMW, weightDecay: nonNegative(0), amsgrad: flag(false) };

/** Adam (Kingma and Ba, 2015), as torch.optim.Adam. */
export function adam(options: AdamOptions = {}): Optimizer {
  return makeAdam('adam', readOptions('adam', ADAM, options), false);
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, 2019), as torch.optim.AdamW without `amsgrad`:
 * p ← (1 - lr·weightDecay)·p before Adam's step, while the gradient stays unchanged.
 */
export function adamw(options: AdamWOptions = {}): Optimizer {
  return makeAdam('adamw', { ...readOptions('adamw', ADAMW, options), amsgrad: false }, true);
}

function makeAdam(
  name: string,
  { lr, betas: [beta1, beta2], eps, weightDecay, amsgrad }: Complete<typeof ADAM>,
  decoupled: boolean,
): Optimizer {
  const shrinks = decoupled && weightDecay !== 0;
  return {
    name,
    states: ['exp_avg', 'exp_avg_sq', ...(amsgrad ? ['max_exp_avg_sq'] : [])],
    lr,
    scalars: (step, rate) => ({
      rate: rate / (1 - beta1 ** step),
      correction: 1 / Math.sqrt(1 - beta2 ** step),
      ...(shrinks && { shrink: 1 - rate * weightDecay }),
    }),
    update: (values, { rate, correction, shrink }) => {
      const { p, g, exp_avg: m, exp_avg_sq: v, max_exp_avg_sq: largest } = values;
      const gradient = decoupled ? g : add(g, mul(p, weightDecay));
      const mean = add(mul(m, beta1), mul(gradient, 1 - beta1));
      const squares = add(mul(v, beta2), mul(square(gradient), 1 - beta2));
      const top = amsgrad ? maximum(largest, squares) : squares;
      const step = div(mul(rate, mean), add(mul(sqrt(top), correction), eps));
      return {
        p: sub(shrinks ? mul(p, shrink) : p, step),
        exp_avg: mean,
        exp_avg_sq: squares,
        ...(amsgrad && { max_exp_avg_sq: top }),
      };
    },
  };
}
