// What is said to the person who got a cell wrong.
import { show } from '../core/errors.ts';
import { isArith, type Arith } from '../expr/arith.ts';

export type Fail = (problem: string) => never;

/** The same object, but reading a name that is not there is an error and not `undefined`. */
export function guarded<T extends object>(fail: Fail, what: string, values: T): T {
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

/** The two parts of a gate kept apart; whoever takes them for one number is told. */
export function guardedParts<T extends object>(fail: Fail, gate: string, values: T): T {
  return new Proxy(values, {
    get(target, key) {
      if (key === 'apply' || (typeof key === 'string' && !(key in target)))
        fail(
          `update reads ${key === 'apply' ? `the gate ${show(gate)} as one number` : `${gate}.${key}`}; the gate is kept apart, read ${gate}.input and ${gate}.recurrent`,
        );
      return Reflect.get(target, key) as unknown;
    },
  });
}

/** What a function of the update is given. */
export function checkArgument<T extends Arith<T>>(fail: Fail, name: string, x: T): T {
  if (!isArith(x)) fail(`update calls ${name} with ${show(x)}; expected an expression`);
  return x;
}

/** What an update returned, in the order of the states. */
export function checkUpdate<T extends Arith<T>>(fail: Fail, states: readonly string[], next: unknown): T[] {
  if (typeof next !== 'object' || next === null || Array.isArray(next))
    return fail(`update returns ${show(next)}; return an object with all of ${show(states)}`);
  if (isArith(next))
    return fail(`update returns an expression; return an object with all of ${show(states)}`);
  const unknown = Object.keys(next).find((state) => !states.includes(state));
  if (unknown !== undefined)
    fail(`update returns a state ${show(unknown)} that is not declared; expected ${show(states)}`);
  return states.map((state) => {
    const value: T | undefined = (next as Record<string, T>)[state];
    if (value === undefined)
      return fail(`update does not return the state ${show(state)}; return all of ${show(states)}`);
    if (!isArith(value))
      fail(
        `update returns ${show(value)} as the state ${show(state)}; expected an expression, made of gates and states with add, mul, tanh and the like`,
      );
    return value;
  });
}
