// The cells of ONNX's operators RNN, GRU and LSTM, with all their attributes (operator set 22). Gates are in PyTorch's order;
// `convertWeights` reorders ONNX's weights.
import { GatewiseError, show } from '../core/errors.ts';
import { oneOf, optional, positive, readOptions, unchecked, type Complete } from '../core/options.ts';
import { add, clamp, mul, sub, type Arith } from '../expr/arith.ts';
import { activation, type Activation } from './activations.ts';
import { defineCell, type Cell } from './cell.ts';
import { apart, late } from './declaration.ts';

export interface ONNXOptions {
  /** `activations` with their `activation_alpha` and `activation_beta`: RNN f; GRU f, g; LSTM f, g, h. */
  readonly activations?: readonly (Activation | string)[];
  /** Clips pre-activations to [-clip, clip]. */
  readonly clip?: number;
}

/** ONNX stores flags as the integers 0 and 1. */
export type ONNXFlag = boolean | 0 | 1;

export interface ONNXGRUOptions extends ONNXOptions {
  /** `linear_before_reset`: the reset gate multiplies the recurrent product, not h; false unless given, as in ONNX. */
  readonly linearBeforeReset?: ONNXFlag;
}

export interface ONNXLSTMOptions extends ONNXOptions {
  /** `input_forget`: the forget gate is 1 - i; false unless given. */
  readonly inputForget?: ONNXFlag;
  /** Whether the operator has the input P, peephole weights; false unless given. */
  readonly peepholes?: ONNXFlag;
}

const onnxFlag = oneOf<ONNXFlag>([true, false, 1, 0], false);
const RNN = {
  activations: unchecked<ONNXOptions['activations']>(),
  clip: optional(positive()),
};
const GRU = { ...RNN, linearBeforeReset: onnxFlag };
const LSTM = { ...RNN, inputForget: onnxFlag, peepholes: onnxFlag };

type Function = <T extends Arith<T>>(x: T) => T;

interface Functions {
  /** The argument of an activation, clipped. */
  readonly clipped: Function;
  /** The activations in order. */
  readonly functions: readonly Function[];
}

function functionsOf(
  what: string,
  defaults: readonly string[],
  { activations = defaults, clip }: Complete<typeof RNN>,
): Functions {
  if (!Array.isArray(activations) || activations.length !== defaults.length)
    throw new GatewiseError(
      'argument',
      `${what}: expected ${defaults.length} activations for one direction, got ${show(activations)}`,
    );
  const functions = (activations as readonly (Activation | string)[]).map((given) => activation(what, given));
  return { clipped: (x) => (clip === undefined ? x : clamp(x, -clip, clip)), functions };
}

/** h' = f(x W + h R + b). */
export function onnxRNN(options: ONNXOptions = {}): Cell {
  const read = readOptions('onnxRNN', RNN, options);
  const { clipped, functions } = functionsOf('onnxRNN', ['Tanh'], read);
  const [f] = functions;
  return defineCell({
    name: 'onnx_rnn',
    gates: ['a'],
    states: ['h'],
    update: ({ a }) => ({ h: f(clipped(a)) }),
  });
}

/** Gates r, z, n. */
export function onnxGRU(options: ONNXGRUOptions = {}): Cell {
  const read = readOptions('onnxGRU', GRU, options);
  const { clipped, functions } = functionsOf('onnxGRU', ['Sigmoid', 'Tanh'], read);
  const [f, g] = functions;
  const mix = <T extends Arith<T>>(z: T, candidate: T, h: T): { h: T } => {
    const keep = f(clipped(z));
    return { h: add(mul(sub(1, keep), candidate), mul(keep, h)) };
  };
  if (read.linearBeforeReset) {
    return defineCell({
      name: 'onnx_gru',
      gates: ['r', 'z', apart('n')],
      states: ['h'],
      update: ({ r, z, n }, { h }) => mix(z, g(clipped(add(n.input, mul(f(clipped(r)), n.recurrent)))), h),
    });
  }
  return defineCell({
    name: 'onnx_gru_reset_before',
    gates: ['r', 'z', late('n')],
    states: ['h'],
    update: ({ r, z, n }, { h }) => mix(z, g(clipped(n(mul(f(clipped(r)), h)))), h),
  });
}

/** Gates i, f, g, o; with `inputForget` i, g, o. */
export function onnxLSTM(options: ONNXLSTMOptions = {}): Cell {
  const read = readOptions('onnxLSTM', LSTM, options);
  const { inputForget, peepholes } = read;
  const { clipped, functions } = functionsOf('onnxLSTM', ['Sigmoid', 'Tanh', 'Tanh'], read);
  const [f, g, h] = functions;
  const peepholesOf = inputForget ? ['i', 'o'] : ['i', 'f', 'o'];
  return defineCell({
    name: `onnx_lstm${inputForget ? '_coupled' : ''}${peepholes ? '_peephole' : ''}`,
    gates: inputForget ? ['i', 'g', 'o'] : ['i', 'f', 'g', 'o'],
    states: ['h', 'c'],
    weights: Object.fromEntries(
      peepholes ? peepholesOf.map((gate) => [`weight_c${gate}`, 'uniform' as const]) : [],
    ),
    update: (gates, { c }, weights) => {
      const gate = (name: 'i' | 'f' | 'o', state: typeof c): typeof c =>
        f(clipped(peepholes ? add(gates[name], mul(weights[`weight_c${name}`], state)) : gates[name]));
      const input = gate('i', c);
      const forget = inputForget ? sub(1, input) : gate('f', c);
      const next = add(mul(forget, c), mul(input, g(clipped(gates.g))));
      return { c: next, h: mul(gate('o', next), h(next)) };
    },
  });
}
