// A cell seen from inside: its gates as further states, so that a loop keeps them for all steps, and taps, which are numbers added to its
// new states. The gradient with respect to a tap of 0 at step t is that with respect to the state at step t.
import { GatewiseError } from '../core/errors.ts';
import { add } from '../expr/arith.ts';
import { Expr, rewrite } from '../expr/expr.ts';
import { defineCell, type Cell } from './cell.ts';
import { inputOnly } from './declaration.ts';
import { derive } from './derived.ts';

/** What is watched besides the states. */
export interface Watch {
  readonly gates: boolean;
  readonly taps: boolean;
}

/**
 * The cell with one further state for each gate, after its own, and one further gate for the tap of each state, after its own. A gate is
 * watched as the update receives it: its pre-activation, or the input part of a gate that is kept apart.
 * @throws GatewiseError `unsupported` for taps of a cell that projects: a tap has H units.
 */
export function withWatch(cell: Cell, { gates, taps }: Watch): Cell {
  if (!gates && !taps) return cell;
  if (taps && cell.projects)
    throw new GatewiseError(
      'unsupported',
      `capture: the cell ${cell.name} projects h, so that gradients of its states cannot be captured; capture values alone`,
    );
  return derive(cell, `watch ${gates} ${taps}`, () =>
    defineCell({
      ...cell.declaration,
      name: `${cell.name}_watched`,
      gates: [
        ...cell.declaration.gates,
        ...(taps ? cell.states.map((state) => inputOnly(`tap_${state}`)) : []),
      ],
      states: [...cell.declaration.states, ...(gates ? cell.gates.map(({ name }) => `gate_${name}`) : [])],
      update: (received, states, more) => {
        const given = received as Readonly<Record<string, unknown>>;
        const watched: Record<string, unknown> = {};
        const own = cell.gates.map(({ name, kind }) => {
          const gate = given[name];
          const watch = (value: unknown): unknown => (watched[`gate_${name}`] = value);
          if (kind === 'late') return [name, (x: never) => watch((gate as (x: never) => unknown)(x))];
          watch(kind === 'apart' ? (gate as { readonly input: unknown }).input : gate);
          return [name, gate];
        });
        const next = cell.declaration.update(Object.fromEntries(own) as never, states, more) as object;
        const tapOf = (state: string): unknown => given[`tap_${state}`];
        return { ...(taps ? withTaps(next, tapOf) : next), ...(gates && watched) } as never;
      },
    }),
  );
}

/** New states with their taps. What an update computes from a new state reads it with its tap, as h = o · tanh(c) reads c. */
function withTaps(next: object, tapOf: (state: string) => unknown): object {
  const names = Object.keys(next);
  let values = Object.values(next) as Expr[];
  names.forEach((name, i) => {
    const value = values[i];
    const tapped = add(value, tapOf(name) as Expr);
    // A state before the step, or a constant, is read by others as what it is.
    const isNew = value instanceof Expr && value.args.length > 0;
    values = isNew
      ? rewrite(values, (expr) => (expr === value ? tapped : undefined))
      : values.with(i, tapped);
  });
  return Object.fromEntries(names.map((name, i) => [name, values[i]]));
}
