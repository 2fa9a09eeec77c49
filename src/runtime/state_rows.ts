// States of the rows of a batch: which axis is the batch's, and how single rows begin at zero.
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { where } from '../expr/arith.ts';
import type { Value } from '../graph/value.ts';
import type { State } from '../nn/layer.ts';
import { reshape } from '../ops/structure.ts';

/** The axis that grows with the batch. @throws GatewiseError `unsupported` where none does. */
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

/** A state with zeros in the rows of the batch where `kept`, (B), is 0. */
export function clearRows(what: string, state: State, value: Value, kept: Value): Value {
  const axis = batchAxis(what, state);
  const rows = value.shape.map((n, i) => (i === axis ? n : 1));
  // Chosen and not multiplied: NaN · 0 is NaN.
  return where(reshape(kept, rows), value, 0);
}

/** Rows of a batch as a list; all unless given. @throws GatewiseError `argument` where one is not in the batch. */
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
