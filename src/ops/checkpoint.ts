// Gradient checkpointing: discards a function's intermediate results after the forward pass and recomputes them from its inputs
// in the backward pass (Chen et al., "Training deep nets with sublinear memory cost", 2016).
import { vjp } from '../graph/autodiff.ts';
import { apply, applyAll, defineOp, type Op, type Value } from '../graph/value.ts';

type Traced = (inputs: readonly Value[]) => readonly Value[];

interface CheckpointAttrs {
  readonly fn: Traced;
  /** Number of outputs. */
  readonly count: number;
  /** False: the gradient uses the forward pass's intermediate results, with bitwise equal gradients. */
  readonly recompute: boolean;
}

export const afterOp: Op<Record<never, never>> = /* @__PURE__ */ defineOp({
  name: 'after',
  summary: 'the first input; whatever is computed from it runs after the second input is computed',
  infer: (_, [x]) => [x],
  view: (_, input) => input,
  grad: (_, [d]) => [d, undefined],
});

export const enterOp: Op<Record<never, never>> = /* @__PURE__ */ defineOp({
  name: 'enter',
  summary:
    'the input as a new variable: the gradients of its readers are summed before they join other gradients of the input',
  isIdentity: true,
  infer: (_, [x]) => [x],
  view: (_, input) => input,
  grad: (_, [d]) => [d],
});

/** Isolates `x`: gradients inside this part of the graph do not depend on other readers of `x` or on the op that computes `x`. */
export function enter(x: Value): Value {
  return apply(enterOp, {}, [x]);
}

/** Inputs: first the function's results, then its arguments. */
export const checkpointOp: Op<CheckpointAttrs> = /* @__PURE__ */ defineOp({
  name: 'checkpoint',
  summary: 'the results of a function whose intermediate results the gradient can recompute from its inputs',
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
    // Recomputes from separate values, so that forward results are not kept alive, and waits until the gradient arrives here.
    const again = given.map((x) => apply(afterOp, {}, [x, arrived]));
    return [...none, ...vjp(fn(again), cotangents, again)];
  },
});

/**
 * The values of `fn`. With `recompute`, the backward pass computes its intermediate results again; gradients are bitwise
 * the same either way.
 * @param fn Must use only its arguments: gradients do not flow to captured values. It is traced a second time.
 */
export function checkpoint(fn: Traced, inputs: readonly Value[], recompute = true): readonly Value[] {
  // Deduplicates the inputs, so that each gradient is counted once. Reshape skips over an earlier reshape to its source, which
  // would bypass an input.
  const given = [...new Set(inputs)];
  const distinct = given.map(enter);
  const positions = inputs.map((input) => given.indexOf(input));
  const traced: Traced = (values) => fn(positions.map((position) => values[position]));
  const results = traced(distinct);
  return applyAll(checkpointOp, { fn: traced, count: results.length, recompute }, [...results, ...distinct]);
}
