// Optimizers as expressions over one element: the parameter p, its gradient g and the optimizer's own states.
// The whole update of all parameters is one elementwise kernel.
import { GatewiseError, show } from '../core/errors.ts';
import { add, div, mul, sqrt, sub } from '../expr/arith.ts';
import type { Expr } from '../expr/expr.ts';
import { checkOptions } from './layer.ts';

export type Scalars = Readonly<Record<string, Expr>>;

export interface Optimizer {
  readonly name: string;
  /** Kept per parameter element, zero at first. */
  readonly states: readonly string[];
  /** The learning rate unless the trainer is told another. */
  readonly lr: number;
  /** What changes from step to step, worked out in float64 on the host; `step` counts from 1. */
  readonly scalars: (step: number, lr: number) => Readonly<Record<string, number>>;
  /** New p and states, from p, g, the states and the scalars. */
  readonly update: (values: Scalars, scalars: Scalars) => Scalars;
}

/** Throws unless an option is a finite number above 0, or 0 where that is allowed. */
export function checkPositive(optimizer: string, option: string, value: number, allowZero = false): void {
  if (!Number.isFinite(value) || value < 0 || (value === 0 && !allowZero)) {
    throw new GatewiseError(
      'argument',
      `${optimizer}: ${option} must be ${allowZero ? 'at least' : 'above'} 0, got ${show(value)}`,
    );
  }
}

export interface SGDOptions {
  readonly lr: number;
  /** 0 unless given. */
  readonly momentum?: number;
}

/** Stochastic gradient descent, as torch.optim.SGD: b ← momentum·b + g, p ← p - lr·b. */
export function sgd(options: SGDOptions): Optimizer {
  checkOptions('sgd', options, ['lr', 'momentum']);
  const { lr, momentum = 0 } = options;
  checkPositive('sgd', 'lr', lr, true);
  checkPositive('sgd', 'momentum', momentum, true);
  return {
    name: 'sgd',
    states: momentum === 0 ? [] : ['momentum_buffer'],
    lr,
    scalars: (_, rate) => ({ lr: rate }),
    update: ({ p, g, momentum_buffer: buffer }, { lr: rate }) => {
      if (momentum === 0) return { p: sub(p, mul(rate, g)) };
      const next = add(mul(buffer, momentum), g);
      return { p: sub(p, mul(rate, next)), momentum_buffer: next };
    },
  };
}

export interface AdamOptions {
  /** 1e-3 unless given. */
  readonly lr?: number;
  /** Decay of the moments; [0.9, 0.999] unless given. */
  readonly betas?: readonly [number, number];
  /** 1e-8 unless given. */
  readonly eps?: number;
}

/** Adam (Kingma and Ba, 2015), as torch.optim.Adam. */
export function adam(options: AdamOptions = {}): Optimizer {
  checkOptions('adam', options, ['lr', 'betas', 'eps']);
  const { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8 } = options;
  checkPositive('adam', 'lr', lr, true);
  checkPositive('adam', 'eps', eps);
  const [beta1, beta2] = betas;
  if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)) {
    throw new GatewiseError('argument', `adam: betas must lie in [0, 1), got ${show(betas)}`);
  }
  return {
    name: 'adam',
    states: ['exp_avg', 'exp_avg_sq'],
    lr,
    scalars: (step, rate) => ({
      rate: rate / (1 - beta1 ** step),
      correction: 1 / Math.sqrt(1 - beta2 ** step),
    }),
    update: ({ p, g, exp_avg: m, exp_avg_sq: v }, { rate, correction }) => {
      const mean = add(mul(m, beta1), mul(g, 1 - beta1));
      const square = add(mul(v, beta2), mul(mul(g, g), 1 - beta2));
      const step = div(mul(rate, mean), add(mul(sqrt(square), correction), eps));
      return { p: sub(p, step), exp_avg: mean, exp_avg_sq: square };
    },
  };
}
