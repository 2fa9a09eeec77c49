// A recurrent cell is one declaration: its gates, its states and one pointwise update. Products, time loop, layers,
// memory and checkpoint names are shared by all cells; the WGSL, the CPU code and the derivative come from here.
import { GatewiseError, show } from '../core/errors.ts';
import type { Arith } from '../expr/arith.ts';
import { derivative, Expr, inputsOf } from '../expr/expr.ts';

/** A gate that keeps its input part and its recurrent part apart, as GRU's `n` does. */
export interface ApartGate<Name extends string = string> {
  readonly apart: Name;
}

/** Declares a gate whose update reads `{ input, recurrent }` instead of their sum. */
export function apart<const Name extends string>(name: Name): ApartGate<Name> {
  return { apart: name };
}

type GateSpec = string | ApartGate;

/** What an update reads of the gates: pre-activations, of shape (rows, hidden), one element at a time. */
export type GateValues<T, Gates extends readonly GateSpec[]> = {
  readonly [G in Extract<Gates[number], string>]: T;
} & {
  readonly [G in Extract<Gates[number], ApartGate>['apart']]: { readonly input: T; readonly recurrent: T };
};

export interface CellDeclaration<Gates extends readonly GateSpec[], State extends string> {
  /** Names the cell in kernels' labels, errors and tables. */
  readonly name: string;
  /** In the order of the rows of `weight_ih` and `weight_hh`. */
  readonly gates: Gates;
  /** `h` comes first and feeds the recurrent product; all have the hidden size. */
  readonly states: readonly ['h', ...State[]];
  /** New states from gates and previous states; written once, it runs on scalars and on tensors. */
  readonly update: <T extends Arith<T>>(
    gates: GateValues<T, Gates>,
    states: { readonly [S in State | 'h']: T },
  ) => { readonly [S in State | 'h']: T };
}

/** The expressions of a cell, over the inputs `gate0`…, `state0`… and, for the derivative, `d0`…. */
export interface CellProgram {
  /** New states. */
  readonly states: readonly Expr[];
  /** Cotangents of the gate slots, then of the previous states. */
  readonly gradients: readonly Expr[];
}

export interface Cell {
  readonly name: string;
  readonly gates: readonly string[];
  readonly states: readonly string[];
  /** Values kept per unit and step for the backward pass: the gates, then the recurrent parts of gates kept apart. */
  readonly slots: number;
  /** The slot in which each gate's recurrent part lies; its own unless the gate is kept apart. */
  readonly recurrentSlot: readonly number[];
  readonly program: CellProgram;
  /** The declared update on values of any kind, indexed by slot and by state. */
  readonly apply: <T extends Arith<T>>(slots: readonly T[], states: readonly T[]) => T[];
}

export const gateInput = (slot: number): string => `gate${slot}`;
export const stateInput = (state: number): string => `state${state}`;
export const cotangentInput = (state: number): string => `d${state}`;

/**
 * Declares a recurrent cell.
 * @throws GatewiseError `argument` where a name is repeated, `h` is missing, or the update reads a gate or state that
 *   was not declared, or returns other states than the declared ones.
 */
export function defineCell<const Gates extends readonly GateSpec[], const State extends string = never>(
  declaration: CellDeclaration<Gates, State>,
): Cell {
  const { name, states } = declaration;
  const fail = (problem: string): never => {
    throw new GatewiseError('argument', `cell ${show(name)}: ${problem}`);
  };
  const gates = declaration.gates.map((gate) => (typeof gate === 'string' ? gate : gate.apart));
  if (gates.length === 0) fail('expected at least one gate, got none');
  if (states[0] !== 'h')
    fail(`the first state must be 'h', which feeds the recurrent product; got ${show(states)}`);
  for (const [what, names] of [
    ['gate', gates],
    ['state', states],
  ] as const) {
    const repeated = names.find((n, i) => (names as readonly string[]).indexOf(n) !== i);
    if (repeated !== undefined) fail(`${what} ${show(repeated)} is declared twice`);
  }
  const apartGates = declaration.gates.flatMap((gate, i) => (typeof gate === 'string' ? [] : [i]));
  const slots = gates.length + apartGates.length;
  const recurrentSlot = gates.map((_, i) =>
    apartGates.includes(i) ? gates.length + apartGates.indexOf(i) : i,
  );

  const apply = <T extends Arith<T>>(slotValues: readonly T[], stateValues: readonly T[]): T[] => {
    const gateValues = gates.map((gate, i) => {
      const slot = recurrentSlot[i];
      return [gate, slot === i ? slotValues[i] : { input: slotValues[i], recurrent: slotValues[slot] }];
    });
    const given = guarded(fail, 'gate', Object.fromEntries(gateValues)) as GateValues<T, Gates>;
    const previous = guarded(
      fail,
      'state',
      Object.fromEntries(states.map((state, i) => [state, stateValues[i]])),
    );
    const next: Record<string, T> = declaration.update(given, previous as { [S in State | 'h']: T });
    if (typeof next !== 'object' || next === null)
      fail(`update returns ${show(next)}; return an object with all of ${show(states)}`);
    const unknown = Object.keys(next).find((state) => !(states as readonly string[]).includes(state));
    if (unknown !== undefined)
      fail(`update returns a state ${show(unknown)} that is not declared; expected ${show(states)}`);
    return states.map((state) => {
      const value =
        next[state] ?? fail(`update does not return the state ${show(state)}; return all of ${show(states)}`);
      if (typeof value.apply !== 'function')
        fail(
          `update returns ${show(value)} as the state ${show(state)}; expected an expression of its gates and states`,
        );
      return value;
    });
  };

  const slotNames = Array.from({ length: slots }, (_, i) => gateInput(i));
  const stateNames = states.map((_, i) => stateInput(i));
  const updated = apply(slotNames.map(Expr.input), stateNames.map(Expr.input));
  const read = inputsOf(updated);
  const unread = gates.find(
    (_, i) => !read.includes(gateInput(i)) && !read.includes(gateInput(recurrentSlot[i])),
  );
  if (unread !== undefined)
    fail(`update never reads the gate ${show(unread)}; use it or leave it out of gates`);
  const program: CellProgram = {
    states: updated,
    gradients: derivative(
      updated,
      states.map((_, i) => Expr.input(cotangentInput(i))),
      [...slotNames, ...stateNames],
    ),
  };
  return { name, gates, states, slots, recurrentSlot, program, apply };
}

/** The same object, but reading a name that is not there is an error and not `undefined`. */
function guarded<T extends object>(fail: (problem: string) => never, what: string, values: T): T {
  return new Proxy(values, {
    get(target, key) {
      if (typeof key === 'string' && !(key in target)) {
        fail(
          `update reads a ${what} ${show(key)} that is not declared; expected one of ${show(Object.keys(target))}`,
        );
      }
      return Reflect.get(target, key) as unknown;
    },
  });
}
