// Optimizers as expressions over one element: the parameter p, its gradient g and the optimizer's own states.
// The whole update of all parameters is one elementwise kernel.
import { GatewiseError, show } from '../core/errors.ts';
import { checkFlag, checkOptions } from '../core/options.ts';
import { add, div, maximum, mul, sqrt, square, sub } from '../expr/arith.ts';
import type { Expr } from '../expr/expr.ts';

export type Scalars = Readonly<Record<string, Expr>>;

/**
 * A number, or a schedule: a function from the number of updates made so far, 0 for the first, to the rate itself. That is
 * how torch's LambdaLR counts where its scheduler follows each update; its factors times the base rate are our rates.
 *
 * Half a cosine from 1e-3 to 0 over 1000 updates: `(step) => 5e-4 * (1 + Math.cos(Math.PI * Math.min(step / 1000, 1)))`.
 * A warmup to 1e-3 in 100 updates: `(step) => 1e-3 * Math.min(1, (step + 1) / 100)`.
 */
export type LearningRate = number | ((step: number) => number);

export interface Optimizer {
  readonly name: string;
  /** Kept per parameter element, zero at first. */
  readonly states: readonly string[];
  /** The learning rate unless the trainer is told another. */
  readonly lr: LearningRate;
  /** What changes from step to step, worked out in float64 on the host; `step` counts from 1. */
  readonly scalars: (step: number, lr: number) => Readonly<Record<string, number>>;
  /** New p and states, from p, g, the states and the scalars. */
  readonly update: (values: Scalars, scalars: Scalars) => Scalars;
}

/** Throws unless an option is a finite number above 0, or 0 where that is allowed. */
export function checkPositive(optimizer: string, option: string, value: number, allowZero = false): void {
  const isNumber = typeof value === 'number';
  if (isNumber && value > 0 && !Number.isFinite(Math.fround(value)))
    throw new GatewiseError(
      'argument',
      `${optimizer}: ${option} must be finite in float32 and ${allowZero ? 'at least' : 'above'} 0, got ${show(value)}`,
    );
  if (!isNumber || !(allowZero ? value >= 0 : value > 0))
    throw new GatewiseError(
      'argument',
      `${optimizer}: ${option} must be ${allowZero ? 'at least' : 'above'} 0, got ${show(value)}`,
    );
}

/** Throws unless a rate is a number of at least 0, or a function. */
export function checkRate(optimizer: string, option: string, rate: LearningRate): void {
  if (typeof rate !== 'function') checkPositive(optimizer, option, rate, true);
}

/** The rate of the update after `step` others. @throws GatewiseError `argument` where a schedule gives no rate. */
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
  /** How much less than whole a gradient goes into the momentum, from the second step on; 0 unless given. */
  readonly dampening?: number;
  /** Times the parameter, added to its gradient (L2); 0 unless given. */
  readonly weightDecay?: number;
  /** Nesterov's momentum, which needs a momentum and no dampening; false unless given. */
  readonly nesterov?: boolean;
}

/**
 * Stochastic gradient descent, as torch.optim.SGD: g ← g + weightDecay·p, b ← momentum·b + (1 - dampening)·g, at the first
 * step b ← g, and p ← p - lr·b; with `nesterov` p ← p - lr·(g + momentum·b).
 */
export function sgd(options: SGDOptions): Optimizer {
  checkOptions('sgd', options, ['lr', 'momentum', 'dampening', 'weightDecay', 'nesterov']);
  const { lr, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = options;
  checkRate('sgd', 'lr', lr);
  checkPositive('sgd', 'momentum', momentum, true);
  checkPositive('sgd', 'dampening', dampening, true);
  checkPositive('sgd', 'weightDecay', weightDecay, true);
  checkFlag('sgd', 'nesterov', nesterov);
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
  /** Times the parameter, added to its gradient (L2); 0 unless given. */
  readonly weightDecay?: number;
  /** 0 unless given. */
  readonly momentum?: number;
  /** Divides by the deviation from the average gradient instead of the root of its square; false unless given. */
  readonly centered?: boolean;
}

/**
 * RMSprop (Hinton's lectures, 2012; `centered`: Graves, 2013), as torch.optim.RMSprop: s ← alpha·s + (1 - alpha)·g²,
 * p ← p - lr·g / (√s + eps). With momentum the quotient goes through b ← momentum·b + quotient, as in SGD.
 */
export function rmsprop(options: RMSpropOptions = {}): Optimizer {
  checkOptions('rmsprop', options, ['lr', 'alpha', 'eps', 'weightDecay', 'momentum', 'centered']);
  const { lr = 1e-2, alpha = 0.99, eps = 1e-8, weightDecay = 0, momentum = 0, centered = false } = options;
  checkRate('rmsprop', 'lr', lr);
  if (!(Number.isFinite(alpha) && alpha >= 0 && alpha <= 1))
    throw new GatewiseError('argument', `rmsprop: alpha must lie in 0 to 1, got ${show(alpha)}`);
  checkPositive('rmsprop', 'eps', eps, true);
  checkPositive('rmsprop', 'weightDecay', weightDecay, true);
  checkPositive('rmsprop', 'momentum', momentum, true);
  checkFlag('rmsprop', 'centered', centered);
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
      // A variance; rounding must not make it negative.
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
  /** `adam`: times the parameter, added to its gradient (L2), 0 unless given. `adamw`: see there. */
  readonly weightDecay?: number;
}

export interface AdamOptions extends AdamWOptions {
  /** Divides by the root of the largest second moment so far (Reddi et al., 2018); false unless given. */
  readonly amsgrad?: boolean;
}

/** Adam (Kingma and Ba, 2015), as torch.optim.Adam. */
export function adam(options: AdamOptions = {}): Optimizer {
  checkOptions('adam', options, ['lr', 'betas', 'eps', 'weightDecay', 'amsgrad']);
  const { weightDecay = 0, amsgrad = false } = options;
  checkFlag('adam', 'amsgrad', amsgrad);
  return makeAdam('adam', { ...options, weightDecay }, amsgrad, false);
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, 2019), as torch.optim.AdamW: p ← (1 - lr·weightDecay)·p before
 * Adam's step, and the gradient stays as it is. `weightDecay` is 1e-2 unless given. There is no `amsgrad`.
 */
export function adamw(options: AdamWOptions = {}): Optimizer {
  checkOptions('adamw', options, ['lr', 'betas', 'eps', 'weightDecay']);
  const { weightDecay = 1e-2 } = options;
  return makeAdam('adamw', { ...options, weightDecay }, false, true);
}

function makeAdam(
  name: string,
  { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 }: AdamWOptions,
  amsgrad: boolean,
  decoupled: boolean,
): Optimizer {
  checkRate(name, 'lr', lr);
  checkPositive(name, 'eps', eps, true);
  checkPositive(name, 'weightDecay', weightDecay, true);
  const isBeta = (beta: unknown): boolean => typeof beta === 'number' && beta >= 0 && beta < 1;
  if (!Array.isArray(betas) || betas.length !== 2)
    throw new GatewiseError('argument', `${name}: betas must be two numbers, got ${show(betas)}`);
  if (!betas.every(isBeta))
    throw new GatewiseError('argument', `${name}: betas must lie in [0, 1), got ${show(betas)}`);
  const [beta1, beta2] = betas as readonly [number, number];
  const shrinks = decoupled && weightDecay !== 0;
  return {
    name,
    states: ['exp_avg', 'exp_avg_sq', ...(amsgrad ? ['max_exp_avg_sq'] : [])],
    lr,
    scalars: (step, rate) => ({
      rate: rate / (1 - beta1 ** step),
      correction: 1 / Math.sqrt(1 - beta2 ** step),
      ...(shrinks && { kept: 1 - rate * weightDecay }),
    }),
    update: (values, { rate, correction, kept }) => {
      const { p, g, exp_avg: m, exp_avg_sq: v, max_exp_avg_sq: largest } = values;
      const gradient = decoupled ? g : add(g, mul(p, weightDecay));
      const mean = add(mul(m, beta1), mul(gradient, 1 - beta1));
      const squares = add(mul(v, beta2), mul(square(gradient), 1 - beta2));
      const top = amsgrad ? maximum(largest, squares) : squares;
      const step = div(mul(rate, mean), add(mul(sqrt(top), correction), eps));
      return {
        p: sub(shrinks ? mul(p, kept) : p, step),
        exp_avg: mean,
        exp_avg_sq: squares,
        ...(amsgrad && { max_exp_avg_sq: top }),
      };
    },
  };
}
