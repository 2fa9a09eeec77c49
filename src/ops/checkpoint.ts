// Recompute instead of store: what a function makes on its way is forgotten after the forward pass, and made again from the
// function's inputs when its gradient is needed (Chen et al., "Training deep nets with sublinear memory cost", 2016).
import { vjp } from '../graph/autodiff.ts';
import { defineOp, type Op, type Value } from '../graph/value.ts';
import { apply, applyAll } from './apply.ts';

type Traced = (inputs: readonly Value[]) => readonly Value[];

interface CheckpointAttrs {
  readonly fn: Traced;
  /** How many outputs it has. */
  readonly count: number;
  /** False: the gradient starts from what the forward pass has made, and is the same bit for bit. */
  readonly recompute: boolean;
}

export const afterOp: Op<Record<never, never>> = /* @__PURE__ */ defineOp({
  name: 'after',
  summary: 'the first input, and whatever is made of it only once there is the second',
  infer: (_, [x]) => [x],
  view: (_, input) => input,
  grad: (_, [d]) => [d, undefined],
  tolerance: { absolute: 0, relative: 0 },
});

export const enterOp: Op<Record<never, never>> = /* @__PURE__ */ defineOp({
  name: 'enter',
  summary:
    'the input, apart from what made it: the gradients of all its readers are summed before others are added',
  isIdentity: true,
  infer: (_, [x]) => [x],
  view: (_, input) => input,
  grad: (_, [d]) => [d],
  tolerance: { absolute: 0, relative: 0 },
});

/** `x` as it enters a part of the graph whose gradients must not depend on what else reads `x`, nor on what `x` is made of. */
export function enter(x: Value): Value {
  return apply(enterOp, {}, [x]);
}

/** Inputs: what the function made, then what it was given. */
export const checkpointOp: Op<CheckpointAttrs> = /* @__PURE__ */ defineOp({
  name: 'checkpoint',
  summary: 'results of a function whose gradient starts from its inputs again',
  isIdentity: true,
  infer: ({ count }, inputs) => inputs.slice(0, count),
  view: (_, input) => input,
  viewOf: (output) => output,
  grad: (node, cotangents) => {
    const { fn, count, recompute } = node.attrs;
    const results = node.inputs.slice(0, count);
    const given = node.inputs.slice(count);
    const none = results.map(() => undefined);
    const arrived = cotangents.find((d) => d !== undefined);
    if (!recompute || arrived === undefined) return [...none, ...vjp(results, cotangents, given)];
    // Other values than those of the forward pass, which would be kept for it; not before the gradient has come this far.
    const again = given.map((x) => apply(afterOp, {}, [x, arrived]));
    return [...none, ...vjp(fn(again), cotangents, again)];
  },
  tolerance: { absolute: 0, relative: 0 },
});

/**
 * The values of `fn`, with its intermediate results computed again in the backward pass where `recompute` is true. The
 * gradients are the same bit for bit either way.
 * @param fn from its inputs alone: gradients do not flow to what it has from elsewhere. It is traced once more.
 */
export function checkpoint(fn: Traced, inputs: readonly Value[], recompute = true): readonly Value[] {
  // An input given twice is one input, whose gradient is counted once. A reshape of a reshape reads what the first one
  // reads, and so would pass by an input.
  const given = [...new Set(inputs)];
  const distinct = given.map(enter);
  const places = inputs.map((input) => given.indexOf(input));
  const traced: Traced = (values) => fn(places.map((place) => values[place]));
  const results = traced(distinct);
  return applyAll(checkpointOp, { fn: traced, count: results.length, recompute }, [...results, ...distinct]);
}
