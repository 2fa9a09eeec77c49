// Reads a cell's declaration and checks its update. Errors use the names of the declaration.
import { GatewiseError, show } from '../core/errors.ts';
import { flag, isFloat32, option, readOptions } from '../core/options.ts';
import { isArith, type Arith } from '../expr/arith.ts';
import { Expr, inputsOf, MEAN } from '../expr/expr.ts';
import type { CellParts, Fail, Gate, GateSpec, Initial } from './declaration.ts';
import { weightPart } from './places.ts';

const KINDS: readonly unknown[] = ['sum', 'apart', 'late', 'input'];
/** Names that a weight cannot have: those of the update's other arguments and of every layer's parameters. */
const RESERVED = ['mean', 'project', 'random', 'weight_ih', 'weight_hh', 'bias_ih', 'bias_hh', 'weight_hr'];

/** Names appear in comments of the WGSL and become parameter names. */
const isName = (name: unknown): boolean =>
  typeof name === 'string' && /^[\p{L}_][^\p{Cc}\p{Zl}\p{Zp}]*$/u.test(name);

const DECLARATION = {
  name: option<string>('text on one line that begins with a letter or _', isName),
  gates: option<readonly GateSpec[]>(
    'a list of at least one gate',
    (value) => Array.isArray(value) && value.length > 0,
  ),
  states: option<CellParts['declaration']['states']>(
    "a list of names that starts with 'h', the state that feeds the recurrent product",
    (value) => Array.isArray(value) && value[0] === 'h' && value.every(isName),
  ),
  weights: option<Readonly<Record<string, Initial>>>(
    'names with initial values, such as { u: 1 }',
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    {},
  ),
  projects: flag(false),
  dropsRecurrent: flag(false),
  update: option<CellParts['declaration']['update']>(
    'a function of gates and states',
    (value) => typeof value === 'function',
  ),
};

/** The declaration with defaults filled in, and `fail`, which throws an error that names the cell. */
export function readDeclaration(
  declaration: CellParts['declaration'],
): Omit<CellParts, 'apply'> & { readonly fail: Fail } {
  const what = typeof declaration?.name === 'string' ? `cell ${show(declaration.name)}` : 'defineCell';
  const fail: Fail = (problem) => {
    throw new GatewiseError('argument', `${what}: ${problem}`);
  };
  const { name, states, projects, dropsRecurrent, ...given } = readOptions(what, DECLARATION, declaration);
  const gates = given.gates.map((gate, i): Gate => {
    const own = typeof gate === 'string' ? ({ name: gate, kind: 'sum' } as const) : gate;
    if (!isName(own?.name) || !KINDS.includes(own.kind))
      fail(`gate ${i} must be a name, or apart, late or inputOnly of one, got ${show(gate)}`);
    return own;
  });
  const gateNames = gates.map((gate) => gate.name);
  for (const [kind, names] of Object.entries({ gate: gateNames, state: states })) {
    const repeated = names.find((one, i) => names.indexOf(one) !== i);
    if (repeated !== undefined) fail(`${kind} ${show(repeated)} is declared twice`);
  }
  const weights = Object.entries(given.weights).map(([weight, initial]) => {
    if (!isName(weight)) fail(`weights must have names, got ${show(weight)}`);
    if (RESERVED.includes(weight))
      fail(`a weight cannot be called ${show(weight)}, which is the name of something else`);
    if (initial !== 'uniform' && !isFloat32(initial))
      fail(
        `weight ${show(weight)} must start as a number that is finite in float32 or as 'uniform', got ${show(initial)}`,
      );
    return { name: weight, initial };
  });
  const recurrentGates = gates.flatMap(({ kind }, i) => (kind === 'input' ? [] : [i]));
  if (dropsRecurrent && recurrentGates.length === 0)
    fail('dropsRecurrent needs a gate with recurrent weights; leave it out');
  return { name, gates, states, weights, projects, dropsRecurrent, recurrentGates, declaration, fail };
}

/** A proxy of `values` on which reading a missing property is an error. @param missing Throws that error. */
export function guarded<T extends object>(values: T, missing: (key: string) => never): T {
  return new Proxy(values, {
    get(target, key) {
      if (typeof key === 'string' && !(key in target)) missing(key);
      return Reflect.get(target, key) as unknown;
    },
  });
}

/** Checks the argument of a function that the update calls. @returns The argument. */
export function checkArgument<T extends Arith<T>>(fail: Fail, name: string, x: T): T {
  if (!isArith(x)) fail(`update calls ${name} with ${show(x)}; expected an expression`);
  return x;
}

/** Checks what an update returned. @returns The new states, in the order of their declaration. */
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
 * Throws if the update uses an expression that it did not receive, such as one that the update of another cell leaked. It runs
 * the update on inputs with unique names, so an input with any other name is foreign.
 */
export function checkOrigin(fail: Fail, { apply }: Pick<CellParts, 'apply'>): void {
  const own = `update ${checked++} `;
  let draws = 0;
  const results = apply<Expr>({
    input: (gate) => Expr.input(`${own}input ${gate}`),
    product: (part, x) => Expr.across([weightPart('hh', part)], [x]),
    state: (state) => Expr.input(`${own}state ${state}`),
    weight: (weight) => Expr.input(`${own}weight ${weight}`),
    keep: () => Expr.input(`${own}keep`),
    mean: (x) => Expr.across([MEAN], [x]),
    project: (x) => Expr.across([weightPart('hr')], [x]),
    random: () => Expr.input(`${own}random ${draws++}`),
  });
  const odd = results.find((result) => !(result instanceof Expr));
  if (odd !== undefined)
    fail(`update returns ${show(odd)}; expected expressions, made of what the update is given`);
  if (inputsOf(results).some((name) => !name.startsWith(own)))
    fail('update uses an expression of another update; make all of what this one is given');
}
