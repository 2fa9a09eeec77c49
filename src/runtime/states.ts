// The states of a model: as named arguments of a program, by rows of the batch, and as tensors of a file.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape, sizeOf } from '../core/shape.ts';
import { where } from '../expr/arith.ts';
import type { Value } from '../graph/value.ts';
import type { NamedTensor } from '../io/safetensors.ts';
import type { Layer, State, Values } from '../nn/layer.ts';
import { reshape } from '../ops/structure.ts';
import type { HostData } from './host.ts';
import type { NamedArguments } from './program.ts';
import { Tensor, toArgument } from './tensor.ts';

/** States by name, as a caller gives them. */
export type GivenStates = Readonly<Record<string, Tensor | HostData>>;

/** The name of a state as an argument of a program. */
export const stateArgument = (state: string): string => `state ${state}`;

/** The given states as arguments. @throws GatewiseError `argument` if the model has no such state. */
export function givenStates(what: string, model: Layer, states: GivenStates = {}): NamedArguments {
  const names = model.states.map(({ name }) => name);
  if (typeof states !== 'object' || states === null || Array.isArray(states) || states instanceof Tensor)
    throw new GatewiseError(
      'argument',
      `${what}: expected states by name, such as { ${names[0] ?? 'h'}: … }, got ${show(states)}`,
    );
  const unknown = Object.keys(states).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new GatewiseError(
      'argument',
      `${what}: the model has no state ${show(unknown)}; expected ${show(names)}`,
    );
  return Object.fromEntries(
    Object.entries(states).map(([name, state]) => [
      stateArgument(name),
      toArgument(`${what}: state ${name}`, state, 'f32'),
    ]),
  );
}

/**
 * The model's states among the traced arguments of a program, by their own names. If there is an argument `continues`, (B),
 * they are 0 in the rows of the batch for which it is 0.
 */
export function tracedStates({ states }: Layer, args: Values): Values {
  const { continues } = args;
  return Object.fromEntries(
    states.flatMap((state) => {
      const value = args[stateArgument(state.name)];
      if (value === undefined) return [];
      return [[state.name, continues ? clearRows('trainer', state, value, continues) : value]];
    }),
  );
}

/** The axis that grows with the batch. @throws GatewiseError `unsupported` if there is none. */
export function batchAxis(what: string, { name, shape }: State): number {
  const [one, two] = [shape(1), shape(2)];
  const axis = one.findIndex((n, i) => two[i] === 2 * n);
  if (axis < 0 || sizeOf(two) !== 2 * sizeOf(one) || one[axis] !== 1)
    throw new GatewiseError(
      'unsupported',
      `${what}: state ${show(name)} has no axis of the batch's size, so that its rows cannot begin at zero one by one`,
    );
  return axis;
}

/** A state with zeros in the rows of the batch for which `continues`, (B), is 0. */
export function clearRows(what: string, state: State, value: Value, continues: Value): Value {
  const axis = batchAxis(what, state);
  const rows = value.shape.map((n, i) => (i === axis ? n : 1));
  // Selected, not multiplied: NaN · 0 is NaN.
  return where(reshape(continues, rows), value, 0);
}

/** Rows of a batch as a list; all unless given. @throws GatewiseError `argument` if one is not in the batch. */
export function rowsOf(what: string, rows: number | readonly number[] | undefined, batch: number): number[] {
  const all = Array.from({ length: batch }, (_, row) => row);
  const list: readonly unknown[] = rows === undefined ? all : Array.isArray(rows) ? rows : [rows];
  const odd = list.findIndex((row) => !(typeof row === 'number' && all.includes(row)));
  if (odd >= 0)
    throw new GatewiseError(
      'argument',
      `${what}: expected rows of the batch, ${batch === 0 ? 'of which there is none before the first step' : `0 to ${batch - 1}`}, got ${show(list[odd])}`,
    );
  return list as number[];
}

/** The tensors of a file. @param values The elements of each state, in the model's order. */
export function stateTensors(
  { states }: Layer,
  batch: number,
  values: readonly Float32Array[],
): Map<string, NamedTensor> {
  return new Map(
    states.map(({ name, shape }, i) => [name, { shape: shape(batch), dtype: 'f32', data: values[i] }]),
  );
}

/** The elements of each state, in the model's order. @throws GatewiseError `file` unless the tensors are the model's states. */
export function statesOf(
  what: string,
  { states }: Layer,
  batch: number,
  tensors: ReadonlyMap<string, NamedTensor>,
): Float32Array[] {
  const refuse = (problem: string): never => {
    throw new GatewiseError('file', `${what}: ${problem}`);
  };
  const values = states.map(({ name, shape }) => {
    const expected = shape(batch);
    const tensor = tensors.get(name);
    if (tensor === undefined)
      return refuse(
        `no state ${show(name)} in the file, which has ${show([...tensors.keys()])}; expected state ${show(name)} as f32 ${show(expected)}, got none`,
      );
    const { dtype, data } = tensor;
    if (!(data instanceof Float32Array) || !sameShape(tensor.shape, expected))
      return refuse(
        `state ${show(name)} must be f32 ${show(expected)}, got ${dtype} ${show(tensor.shape)}; was the file saved from another model?`,
      );
    return data;
  });
  const names = states.map(({ name }) => name);
  const unknown = [...tensors.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined) refuse(`the model has no state ${show(unknown)}; expected ${show(names)}`);
  return values;
}
