// Dropout (Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014), scaled during
// training. The mask is a pure function of seed, stream and element, so the backward pass regenerates it.
import { GatewiseError, show } from '../core/errors.ts';
import { probability, readOption } from '../core/options.ts';
import { sizeOf, type Shape } from '../core/shape.ts';
import { apply, defineOp, expectValue, type Op, type Value } from '../graph/value.ts';
import { constant, zeros } from './structure.ts';

interface DropoutAttrs {
  /** Drop probability, above 0 and below 1. */
  readonly p: number;
  readonly stream: number;
}

/** p and 1 / (1 - p), rounded to float32 so that all backends drop the same elements and scale equally. */
export const roundedAttrs = ({ p }: DropoutAttrs): { p: number; scale: number } => ({
  p: Math.fround(p),
  scale: Math.fround(1 / (1 - p)),
});

export const dropoutOp: Op<DropoutAttrs> = /* @__PURE__ */ defineOp({
  name: 'dropout',
  summary: 'each element times 1 / (1 - p), or 0 with probability p, by a seed (2) and a stream',
  infer: (_, [x, seed]) => {
    if (seed.dtype !== 'i32' || seed.shape.length !== 1 || seed.shape[0] !== 2)
      throw new GatewiseError(
        'shape',
        `dropout: expected a seed i32 [2], got ${seed.dtype} ${show(seed.shape)}`,
      );
    return [x];
  },
  cost: (_, [x]) => sizeOf(x.shape),
  grad: (node, [d]) => [d && apply(dropoutOp, node.attrs, [d, node.inputs[1]]), undefined],
});

/** A source of random numbers; `Noise` is one. */
export interface NumberSource {
  /** i32 (2): the generator's key, two words of any 32 bits. */
  readonly seed: Value;
  /** Stream number: ops with equal seed and stream draw equal numbers. */
  stream(): number;
}

/**
 * PyTorch's F.dropout in training: each element of `x`, f32 of any shape, is 0 with probability `p`, otherwise scaled by
 * 1 / (1 - p). Element i in row-major order is scaled if the first 24 bits of word i % 4 of
 * philox4x32-10(counter (i / 4, stream, 0, 0), key seed), as a fraction of 2^24, are at least p.
 * p = 0 returns `x` and p = 1 zeros, without a draw.
 * @throws GatewiseError `argument` if `p` is not from 0 to 1; `dtype` or `shape` if `x` or the seed has another one.
 */
export function dropout(x: Value, p: number, noise: NumberSource): Value {
  expectValue('dropout: input', x, 'f32');
  readOption('dropout', 'p', probability(), p);
  if (p === 0) return x;
  if (p === 1) return zeros(x.shape);
  expectValue('dropout: seed', noise.seed, 'i32', [2]);
  return apply(dropoutOp, { p, stream: noise.stream() }, [x, noise.seed]);
}

/**
 * The factors of `dropout` as a tensor, for use at several steps as in variational dropout: f32 of `shape`, 0 with probability
 * `p`, otherwise 1 / (1 - p). The same seed and stream give the same mask.
 */
export function dropoutMask(shape: Shape, p: number, seed: Value, stream: number): Value {
  return dropout(constant(1, shape), p, { seed, stream: () => stream });
}
