// A part of the graph that is traced at plan time, when the target is known: segment lengths and wavefronts depend on the target.
// Its gradient is traced at plan time too.
import { vjp } from '../graph/autodiff.ts';
import {
  applyAll,
  defineOp,
  type Op,
  type Signature,
  type TargetLimits,
  type Value,
} from '../graph/value.ts';
import { enter } from './checkpoint.ts';
import { zeros } from './structure.ts';

type Decomposition = (inputs: readonly Value[], limits: TargetLimits) => readonly Value[];

interface CompositeAttrs {
  readonly label: string;
  readonly trace: Decomposition;
  readonly outputs: readonly Signature[];
}

export const compositeOp: Op<CompositeAttrs> = /* @__PURE__ */ defineOp({
  name: 'composite',
  summary: 'a part of the graph that is traced for the target when the plan is made',
  infer: ({ outputs }) => [...outputs],
  isStructural: true,
  // Each input becomes a distinct value with its own gradient, even if two inputs are the same tensor.
  decompose: ({ trace }, inputs, limits) => trace(inputs.map(enter), limits),
  grad: ({ attrs: { label, trace }, inputs, outputs }, cotangents) => {
    const arrived = cotangents.flatMap((d, output) => (d === undefined ? [] : [{ d, output }]));
    const wanted = inputs.flatMap(({ dtype }, input) => (dtype === 'f32' ? [input] : []));
    const gradients = composite(
      label,
      [...inputs, ...arrived.map(({ d }) => d)],
      wanted.map((input) => inputs[input]),
      (values, limits) => {
        // The planner merges the forward nodes of this second trace with those of the first.
        const own = values.slice(0, inputs.length);
        const given = outputs.map((): Value | undefined => undefined);
        arrived.forEach(({ output }, i) => (given[output] = values[inputs.length + i]));
        const wrt = wanted.map((input) => own[input]);
        return vjp(trace(own, limits), given, wrt).map((d, i) => d ?? zeros(wrt[i].shape));
      },
    );
    return inputs.map((_, input) => gradients[wanted.indexOf(input)]);
  },
  // The tolerance of the least accurate op that a composite contains.
  tolerance: { absolute: 2e-5, relative: 1e-4 },
});

/** @param trace A pure function of its inputs: it is called once for the outputs and once for each gradient. */
export function composite(
  label: string,
  inputs: readonly Value[],
  outputs: readonly Signature[],
  trace: Decomposition,
): readonly Value[] {
  const signatures = outputs.map(({ shape, dtype }) => ({ shape, dtype }));
  return applyAll(compositeOp, { label, trace, outputs: signatures }, inputs);
}
