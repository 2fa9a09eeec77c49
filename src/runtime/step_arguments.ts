// Arguments of a training step that come from the caller: the batch, its lengths or mask, and initial states.
import { GatewiseError, show } from '../core/errors.ts';
import { checkOptions } from '../core/options.ts';
import { type Layer } from '../nn/layer.ts';
import { givenStates, type GivenStates } from './given_states.ts';
import type { HostData } from './host.ts';
import type { NetContext } from './net_context.ts';
import type { Argument } from './program.ts';
import { hasBatch, sequenceArguments, type SequenceOptions } from './sequences.ts';
import type { Tensor } from './tensor.ts';
import type { TrainStates } from './train_states.ts';
import { stateName } from './train_step.ts';

/**
 * `lengths` or `mask` go to the model's layers, and to the loss if there is a target for each step. Labels of masked steps must
 * still be one of the classes or the loss's ignored index.
 */
export interface StepOptions extends SequenceOptions {
  /** States before the first step, by name, as in `net.run`; zeros where absent. Not with `stateful`. */
  readonly states?: GivenStates;
}

type Arguments = Readonly<Record<string, Argument>>;

/** Arguments by the names that `traceStep` reads. @param kept The states of a stateful trainer. */
export function batchArguments(
  net: NetContext,
  x: Tensor | HostData,
  options: StepOptions,
  kept: TrainStates | undefined,
): Arguments & { readonly input: Argument } {
  checkOptions('step', options, ['lengths', 'mask', 'states']);
  const { model } = net;
  const input = net.input('step', x);
  const sequences = sequenceArguments('step', model, input, options);
  const states =
    kept === undefined ? stepStates(model, options.states) : keptStates(model, kept, input, options.states);
  return { input, ...sequences, ...states };
}

function keptStates(
  model: Layer,
  kept: TrainStates,
  input: Argument,
  given: StepOptions['states'],
): Arguments {
  if (given !== undefined)
    throw new GatewiseError(
      'argument',
      'step: states were given, but a stateful trainer begins with those of its last step; leave out one of the two',
    );
  const { states, timeAxis = 0 } = model;
  if (!hasBatch(model, input))
    throw new GatewiseError(
      'shape',
      `step: a stateful trainer expects input (${timeAxis === 0 ? 'T, B' : 'B, T'}, …), got ${show(input.shape)}`,
    );
  const rows = kept.prepare(input.shape[1 - timeAxis]);
  return {
    kept: rows,
    ...Object.fromEntries(states.map(({ name }, i) => [stateName(name), kept.tensors[i]])),
  };
}

/** The states that the caller gives for one step, as arguments. */
function stepStates(model: Layer, given: StepOptions['states']): Arguments {
  const states = givenStates('step', model, given);
  return Object.fromEntries(Object.entries(states).map(([name, state]) => [stateName(name), state]));
}
