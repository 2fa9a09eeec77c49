// The states of a model: as arguments of a program, and by rows of the batch.
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { where } from '../expr/arith.ts';
import type { Value } from '../graph/value.ts';
import { checkStates, type Layer, type State, type Values } from '../nn/layer.ts';
import { reshape } from '../ops/structure.ts';
import type { HostData } from './host.ts';
import { Tensor, toArgument, type Argument } from './tensor.ts';

/** States by name, as a caller gives them. */
export type GivenStates = Readonly<Record<string, Tensor | HostData>>;

/** States as arguments of a program, by name. */
export type StateArguments = Readonly<Record<string, Argument>>;

/** The given states as arguments, by name. @throws GatewiseError `argument` if the model has no such state. */
export function givenStates(what: string, model: Layer, states: GivenStates = {}): StateArguments {
  if (typeof states !== 'object' || states === null || Array.isArray(states) || states instanceof Tensor)
    throw new GatewiseError(
      'argument',
      `${what}: expected states by name, such as { ${model.states[0]?.name ?? 'h'}: … }, got ${show(states)}`,
    );
  checkStates(`${what}: ${model.name}`, model, states);
  return Object.fromEntries(
    Object.entries(states).map(([name, state]) => [name, toArgument(`${what}: state ${name}`, state, 'f32')]),
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

/** All states, with zeros in the rows of the batch for which `continues`, (B), is 0. */
export function clearRows(what: string, states: readonly State[], values: Values, continues: Value): Values {
  return Object.fromEntries(
    states.map((state) => {
      const value = values[state.name];
      const axis = batchAxis(what, state);
      const rows = value.shape.map((n, i) => (i === axis ? n : 1));
      // Selected, not multiplied: NaN · 0 is NaN.
      return [state.name, where(reshape(continues, rows), value, 0)];
    }),
  );
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
