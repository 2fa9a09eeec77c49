// Cells whose gates, states and update are drawn from a seed.
import { defineCell, type Cell } from '../src/cells/cell.ts';
import type { CellDeclaration, GateKind, GateSpec } from '../src/cells/declaration.ts';
import { Random } from '../src/core/random.ts';
import { add, mul, sigmoid, sub, tanh, type Arith } from '../src/expr/arith.ts';

const KINDS: readonly GateKind[] = ['sum', 'apart', 'late', 'input'];
const OPERATIONS = 6;

interface Recipe {
  readonly gates: readonly { readonly name: string; readonly kind: GateKind }[];
  /** States besides h. */
  readonly states: readonly string[];
  readonly hasWeight: boolean;
  readonly projects: boolean;
  readonly seed: number;
}

/** The arguments of an update of any gates and states. */
interface Given<T> {
  readonly gates: Readonly<Record<string, unknown>>;
  readonly states: Readonly<Record<string, T>>;
  readonly weight: T | undefined;
  readonly mean: (x: T) => T;
  readonly project: (x: T) => T;
}

/** New states from all gates and the weight, by the same expressions in every call. */
function updateBy<T extends Arith<T>>(recipe: Recipe, given: Given<T>): Record<string, T> {
  const random = new Random(recipe.seed, 2);
  const chance = (one: number): boolean => random.integer(one) === 0;
  const pick = (pool: readonly T[]): T => pool[random.integer(pool.length)];
  // Values of size H, and of the size of h, which differs with a projection only.
  const hidden = recipe.states.map((name) => given.states[name]);
  const likeH = recipe.projects ? [] : hidden;
  likeH.push(given.states['h']);
  const all: T[] = given.weight === undefined ? [] : [given.weight];
  const waiting: ((x: T) => T)[] = [];
  for (const { name, kind } of recipe.gates) {
    if (kind === 'late') waiting.push(given.gates[name] as (x: T) => T);
    else if (kind === 'apart')
      all.push(...Object.values(given.gates[name] as Record<'input' | 'recurrent', T>));
    else all.push(given.gates[name] as T);
  }
  hidden.push(...all);
  const call = (): void => {
    const value = waiting.shift()?.(pick(likeH));
    if (value === undefined) return;
    hidden.push(value);
    all.push(value);
  };
  const combine = (pool: readonly T[]): T => {
    const makers = [
      () => tanh(pick(pool)),
      () => sigmoid(pick(pool)),
      () => add(pick(pool), pick(pool)),
      () => sub(pick(pool), mul(0.5, pick(pool))),
      () => mul(tanh(pick(pool)), pick(pool)),
      () => given.mean(pick(pool)),
    ];
    return makers[random.integer(makers.length)]();
  };
  for (let i = 0; i < OPERATIONS; i++) {
    if (chance(3)) call();
    const pool = hidden.length > 0 && chance(2) ? hidden : likeH;
    pool.push(combine(pool));
    if (recipe.projects && hidden.length > 0 && chance(4)) likeH.push(given.project(tanh(pick(hidden))));
  }
  recipe.gates.forEach(call);
  const total = tanh(all.reduce((a, b) => add(a, b)));
  hidden.push(total);
  const h = recipe.projects ? given.project(total) : total;
  return {
    ...Object.fromEntries(recipe.states.map((name) => [name, mul(0.9, tanh(pick(hidden)))])),
    h: chance(2) ? h : tanh(add(h, pick(likeH))),
  };
}

export function randomCell(seed: number): Cell {
  const random = new Random(seed, 1);
  const recipe: Recipe = {
    gates: Array.from({ length: 1 + random.integer(3) }, (_, i) => ({
      name: `g${i}`,
      kind: KINDS[random.integer(KINDS.length)],
    })),
    states: ['c', 'd'].slice(0, random.integer(3)),
    hasWeight: random.integer(2) === 0,
    projects: random.integer(3) === 0,
    seed,
  };
  const declaration: CellDeclaration<readonly GateSpec[], string, string> = {
    name: `random_${seed}`,
    gates: recipe.gates.map(({ name, kind }) => (kind === 'sum' ? name : { name, kind })),
    states: ['h', ...recipe.states],
    weights: recipe.hasWeight ? { u: 'uniform' } : {},
    projects: recipe.projects,
    dropsRecurrent: random.integer(3) === 0 && recipe.gates.some(({ kind }) => kind !== 'input'),
    update: (gates, states, more) =>
      updateBy(recipe, {
        gates,
        states,
        weight: recipe.hasWeight ? more['u'] : undefined,
        mean: more.mean,
        project: more.project,
      }),
  };
  return defineCell(declaration);
}
