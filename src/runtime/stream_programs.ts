// The programs of a net's streams: a push, in two parts where the first can run before the input is there, and what changes or copies
// states.
import { Value, type Signature } from '../graph/value.ts';
import { partialEvaluation, type PartialEvaluation } from '../plan/partial_evaluation.ts';
import { reshape } from '../ops/structure.ts';
import type { Shape } from '../core/shape.ts';
import { listOf } from '../core/tree.ts';
import type { LoadedModel } from './loaded_model.ts';
import { Program } from './program.ts';
import { StateLayout } from './state_layout.ts';
import { clearRows } from './states.ts';
import type { Argument } from './tensor.ts';

/** A step of a batch. */
export interface StepSignature {
  readonly batch: number;
  /** Of the argument. */
  readonly input: Signature;
  /** With the axes of time and batch, as the model takes it. */
  readonly shape: Shape;
}

interface StreamArguments {
  readonly weights: Argument | readonly Argument[];
  /** All states, flat. */
  readonly states: Argument;
}

export class StreamPrograms implements Disposable {
  /** Of weights and states: what a push computes of them, before it has an input; nothing on a backend that gains nothing by it. */
  readonly prefetch: Program<StreamArguments, StepSignature>;
  /** Of weights, states, input and the results of `prefetch`: the output and the next states. */
  readonly push: Program<
    StreamArguments & { readonly input: Argument; readonly prefetched: readonly Argument[] },
    StepSignature
  >;
  /** States with zeros in the rows for which `continues` is 0, in place. */
  readonly reset: Program<{ readonly states: Argument; readonly continues: Argument }, number>;
  /** Copies of the states of a batch, by name and flat. */
  readonly unpack: Program<{ readonly states: Argument }, number>;
  readonly copy: Program<{ readonly states: Argument }>;

  constructor(context: LoadedModel) {
    const { runtime, model } = context;
    this.prefetch = new Program(runtime, {
      name: 'prefetch',
      frozen: ['weights'],
      trace: ({ weights, states }, step) => ({
        outputs: {
          prefetched: [...split(context, weights, states, new Value(step.input), step).residuals],
        },
      }),
    });
    this.push = new Program(runtime, {
      name: 'push',
      frozen: ['weights'],
      trace: ({ weights, states, input, prefetched }, step) => {
        const [output, next] = split(context, weights, states, input, step).rest(prefetched);
        return { outputs: { output, states: next } };
      },
    });
    this.reset = new Program(runtime, {
      name: 'reset',
      trace: ({ states, continues }, batch) => {
        const layout = new StateLayout(model.states, batch);
        const cleared = clearRows('reset', model.states, layout.unpack(states), continues);
        return { outputs: { states: layout.pack(cleared) }, donated: ['states'] };
      },
    });
    this.unpack = new Program(runtime, {
      name: 'states',
      trace: ({ states }, batch) => ({ outputs: new StateLayout(model.states, batch).unpack(states) }),
    });
    this.copy = new Program(runtime, { name: 'fork', trace: ({ states }) => ({ outputs: { states } }) });
  }

  dispose(): void {
    for (const program of [this.prefetch, this.push, this.reset, this.unpack, this.copy]) program.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A step, split at what depends on weights and states alone. */
function split(
  { runtime: { backend }, model, layout, precision }: LoadedModel,
  weights: Value | readonly Value[],
  states: Value,
  input: Value,
  { batch, shape }: StepSignature,
): PartialEvaluation {
  const stateLayout = new StateLayout(model.states, batch);
  const parameters = layout.quantize(layout.unpack(listOf(weights)), precision);
  const result = model.forward(reshape(input, shape), parameters, stateLayout.unpack(states));
  const isTimed = model.timeAxis !== undefined;
  const output = reshape(result.output, [batch, ...result.output.shape.slice(isTimed ? 2 : 1)]);
  const outputs = [output, stateLayout.pack(result.states)];
  return backend.isConcurrent === true
    ? partialEvaluation(outputs, listOf(weights), [states], backend.target)
    : { residuals: [], rest: () => outputs };
}
