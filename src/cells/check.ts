// What is said to the person who got a cell wrong.
import { show } from '../core/errors.ts';
import { isArith, type Arith } from '../expr/arith.ts';
import { Expr, inputsOf } from '../expr/expr.ts';
import type { CellParts } from './declaration.ts';

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
        `update returns ${typeof value === 'string' ? 'a string' : show(value)} as the state ${show(state)}; expected an expression, made of gates and states with add, mul, tanh and the like (JavaScript's operators do not work: write add(a, b) for a + b)`,
      );
    return value;
  });
}

let checked = 0;

/**
 * Throws where the update computes with more than it is given. An expression that was kept from another update would be
 * taken for one of this cell's, so that all it is given here has names that no other has.
 */
export function checkOrigin(fail: Fail, { apply }: Pick<CellParts, 'apply'>): void {
  const own = `update ${checked++} `;
  let draws = 0;
  const results = apply<Expr>({
    input: (gate) => Expr.input(`${own}input ${gate}`),
    product: (part, x) => Expr.across([`hh.${part}`], [x]),
    state: (state) => Expr.input(`${own}state ${state}`),
    weight: (weight) => Expr.input(`${own}weight ${weight}`),
    keep: () => Expr.input(`${own}keep`),
    mean: (x) => Expr.across(['mean'], [x]),
    project: (x) => Expr.across(['hr.0'], [x]),
    random: () => Expr.input(`${own}random ${draws++}`),
  });
  const odd = results.find((result) => !(result instanceof Expr));
  if (odd !== undefined)
    fail(`update returns ${show(odd)}; expected expressions, made of what the update is given`);
  if (inputsOf(results).some((name) => !name.startsWith(own)))
    fail('update uses an expression of another update; make all of what this one is given');
}
