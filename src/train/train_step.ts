// One training step as a graph: forward, loss, backward, clip and update.
import { add, clamp, div, isfinite, minimum, mul, sqrt, square, where } from '../expr/arith.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { Expr, inputName } from '../expr/expr.ts';
import { joined, listOf, type MapTree } from '../core/tree.ts';
import { gradients } from '../graph/autodiff.ts';
import { Value, type Signature } from '../graph/value.ts';
import { CaptureRecord } from '../nn/capture.ts';
import { Noise, type Context } from '../nn/context.ts';
import { perStepOf, type Layer, type Values } from '../nn/layer.ts';
import type { Loss } from './loss.ts';
import type { Optimizer } from './optimizer.ts';
import { elementwise } from '../ops/elementwise.ts';
import { lengthMask } from '../ops/sequence_mask.ts';
import { constant, slice, sum, transpose, zeros } from '../ops/structure.ts';
import type { NetContext } from '../runtime/net_context.ts';
import type { ParameterLayout } from '../runtime/parameters.ts';
import { truncate, type SequenceArguments, type Truncation } from '../runtime/sequence_arguments.ts';
import type { Traced } from '../runtime/specialization.ts';
import { StateLayout } from '../runtime/state_layout.ts';
import { clearRows, type StateArguments } from '../runtime/states.ts';
import type { Argument } from '../runtime/tensor.ts';

/** What a step minimises, and how. */
export interface StepRecipe {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /**
   * Clamps each element of the gradient to [-clipValue, clipValue], as torch's clip_grad_value_. With `clipNorm` as well,
   * elements are clamped first.
   */
  readonly clipValue?: number | undefined;
  /** Scales the gradient of all parameters so that its L2 norm is at most this, as torch's clip_grad_norm_. */
  readonly clipNorm?: number | undefined;
  /**
   * What happens where a loss is NaN or infinite. `throw`, unless given, and `skip` leave weights, optimizer and, of a stateful
   * trainer, the model's states as they are, and so a parameter whose own gradient is not finite; the step counts. `throw` rejects
   * the step's promise, `skip` resolves it with the loss. `apply` updates everything, as PyTorch does, and resolves it.
   */
  readonly onNonFinite?: 'throw' | 'skip' | 'apply';
}

/** The arguments of a step. */
export type StepArguments = SequenceArguments & {
  readonly weights: Argument | readonly Argument[];
  /** The optimizer's states by name, each flat like the weights. */
  readonly optimizer: Readonly<Record<string, Argument | readonly Argument[]>>;
  /** The optimizer's scalars of this step. */
  readonly scalars: Argument;
  readonly target: Argument;
  /** The seed and the number of the step. */
  readonly noise: Argument;
  /** Given states of the model by name, or for a stateful trainer all states, flat. */
  readonly states: Argument | StateArguments;
  /** Of a stateful trainer, (B): 0 for rows that start at zero, else 1. */
  readonly continues?: Argument;
};

/**
 * Traces a step.
 * @param truncation The steps of input and target that are computed; all where absent.
 * @param capture Names of states and gates to show, with their gradients.
 * @returns The loss and, donated, the new weights, the optimizer's new states and, with `continues`, the new `states`.
 */
export function traceStep(
  { model, layout, precision }: Pick<NetContext, 'model' | 'layout' | 'precision'>,
  recipe: StepRecipe,
  args: MapTree<StepArguments, Argument, Value>,
  truncation?: Truncation,
  capture: readonly string[] = [],
): Traced {
  const { loss, optimizer } = recipe;
  const { scalars, noise, lengths, mask, states: given, continues } = args;
  const x = truncate(args.input, truncation);
  const target = truncate(args.target, truncation);
  const record = new CaptureRecord(capture, true);
  const context: Context = {
    noise: new Noise(noise),
    ...(lengths && { lengths }),
    ...(mask && { mask }),
    ...(capture.length > 0 && { capture: record }),
  };
  const carried = given instanceof Value && continues !== undefined ? { flat: given, continues } : undefined;
  const stateLayout = carried && new StateLayout(model.states, carried.continues.shape[0]);
  const initial = stateLayout
    ? clearRows('trainer', model.states, stateLayout.unpack(carried.flat), carried.continues)
    : (given as Values);
  const weights = listOf(args.weights);
  const parameters = layout.unpack(weights);
  const stored = layout.quantize(parameters, precision);
  const { output, states } = model.forward(x, stored, initial, context);
  const value = applyLoss(loss, output, target, stepMask(model, context, x, output, target));
  const { taps } = record;
  const [ofParameters, ofTaps] = gradientsOf(layout, value, parameters, taps);
  const gradient = clip(recipe, ofParameters);
  const before = optimizer.states.map((name) => listOf(args.optimizer[name]));
  const skips = recipe.onNonFinite !== 'apply';
  const updated = weights.map((flat, i) => {
    const tensors = [flat, gradient[i], ...before.map((moments) => moments[i])];
    return update(optimizer, tensors, scalars, skips ? value : undefined);
  });
  /** Of each flat tensor a result of its update. */
  const results = (index: number): Value | readonly Value[] => joined(updated.map((list) => list[index]));
  const after = stateLayout?.pack(states);
  const kept = after && carried && skips ? where(isfinite(value), after, carried.flat) : after;
  return {
    outputs: {
      loss: value,
      weights: results(0),
      optimizer: Object.fromEntries(optimizer.states.map((name, i) => [name, results(i + 1)])),
      ...(kept && { states: kept }),
      captured: {
        values: record.values('step'),
        gradients: record.gradientsBy('step', (of) => ofTaps[taps.indexOf(of)]),
      },
    },
    donated: ['weights', 'optimizer', 'states'],
  };
}

/** Whether both have the same T and B, as a target for each step has. */
export const hasSameSteps = (a: Signature, b: Signature): boolean =>
  a.shape[0] === b.shape[0] && a.shape[1] === b.shape[1];

/** The loss's mask, (T, B) or (B, T). Undefined unless steps are masked and the target has elements for each step. */
function stepMask(
  model: Layer,
  { lengths, mask }: Context,
  x: Value,
  output: Value,
  target: Value,
): Value | undefined {
  const { name, timeAxis } = model;
  const perStep = perStepOf(model);
  if (lengths === undefined && mask === undefined) return undefined;
  // With one output for each sequence the layers have applied the lengths, and every element of the target counts.
  if (perStep === false || !hasSameSteps(output, x) || !hasSameSteps(target, x)) return undefined;
  const [steps, batch] = x.shape;
  if (perStep === undefined && steps === batch)
    throw new GatewiseError(
      'unsupported',
      `step: with lengths or a mask and as many steps as sequences (${steps}), the output ${show(output.shape)} of ${name} may have a row for each step or for each sequence; declare perStep: true or false in the layer of your own`,
    );
  if (lengths === undefined) return mask;
  return timeAxis === 1 ? transpose(lengthMask(lengths, x.shape[1])) : lengthMask(lengths, x.shape[0]);
}

function applyLoss(loss: Loss, output: Value, target: Value, mask: Value | undefined): Value {
  if (mask === undefined) return loss.apply(output, target);
  // A loss without the parameter would include the padding.
  if (loss.apply.length < 3)
    throw new GatewiseError(
      'unsupported',
      `step: lengths or a mask were given, but the loss ${loss.name} takes no mask; declare it as apply(output, target, mask) and leave out what is masked`,
    );
  return loss.apply(output, target, mask);
}

/** The gradients with respect to all parameters, in the layout of the flat weights, and to further values. */
function gradientsOf(
  layout: ParameterLayout,
  loss: Value,
  parameters: Values,
  others: readonly Value[],
): readonly [ofParameters: Value[], ofOthers: Value[]] {
  const names = Object.keys(parameters);
  const wrt = [...Object.values(parameters), ...others];
  const found = gradients(loss, wrt, constant(1)).map((g, i) => g ?? zeros(wrt[i].shape));
  const own = Object.fromEntries(names.map((name, i) => [name, found[i]]));
  return [layout.pack(own), found.slice(names.length)];
}

function clip({ clipValue, clipNorm }: StepRecipe, gradient: readonly Value[]): readonly Value[] {
  const bounded =
    clipValue === undefined ? gradient : gradient.map((flat) => clamp(flat, -clipValue, clipValue));
  if (clipNorm === undefined) return bounded;
  // min(1, limit / (norm + 1e-6)), the factor of torch.nn.utils.clip_grad_norm_.
  const squares = bounded.map((flat) => sum(square(flat)));
  const norm = sqrt(squares.reduce((a, b) => add(a, b)));
  const factor = minimum(div(clipNorm, add(norm, 1e-6)), 1);
  return bounded.map((flat) => mul(flat, factor));
}

/**
 * One elementwise op for the parameters and optimizer states of a flat tensor.
 * @param tensors p, g and the states.
 * @param guard If given, nothing changes where it, or an element of g, is NaN or infinite.
 */
function update(
  optimizer: Optimizer,
  tensors: readonly Value[],
  scalars: Value,
  guard: Value | undefined,
): readonly Value[] {
  const names = ['p', 'g', ...optimizer.states];
  const scalarNames = Object.keys(optimizer.scalars(1, 0));
  const inputs = [...tensors, ...scalarNames.map((_, i) => slice(scalars, 0, i, i + 1))];
  const isSound =
    guard && mul(isfinite(Expr.input(inputName(1))), isfinite(Expr.input(inputName(inputs.length))));
  const input = (offset: number) => (name: string, i: number) =>
    [name, Expr.input(inputName(offset + i))] as const;
  const before = Object.fromEntries(names.map(input(0)));
  const next = optimizer.update(before, Object.fromEntries(scalarNames.map(input(names.length))));
  const results = ['p', ...optimizer.states];
  const missing = results.find((name) => !(next?.[name] instanceof Expr));
  if (missing !== undefined)
    throw new GatewiseError(
      'argument',
      `trainer: the update of ${optimizer.name} gives ${show(next?.[missing])} as ${show(missing)}; expected expressions for all of ${show(results)}`,
    );
  return elementwise(
    results.map((name) => (isSound ? where(isSound, next[name], before[name]) : next[name])),
    guard === undefined ? inputs : [...inputs, guard],
    [],
    optimizer.name,
  );
}
