// Scalar expressions: an immutable DAG of constants, named inputs, scalar operations and linear maps across the units of a layer.
// Equal expressions are one object (hash consing), so shared subexpressions are compiled and computed once.
import { GatewiseError, show } from '../core/errors.ts';
import { add, type Arith, type ScalarOpName } from './arith.ts';
import { scalarOps } from './scalar_ops.ts';

export type ExprKind =
  | { readonly op: ScalarOpName }
  | { readonly constant: number }
  | { readonly input: string }
  /** Reaches across units: the sum of linear maps, one for each operand. Code that evaluates an expression replaces it first. */
  | { readonly across: readonly UnitMap[] };

/** A linear map over the units of a row, such as a matrix. Equal maps are one object. */
export interface UnitMap {
  readonly name: string;
  /** The transposed map, which maps cotangents back. */
  readonly adjoint: () => UnitMap;
}

/** The mean over all units, at each unit. */
export const MEAN: UnitMap = { name: 'mean', adjoint: () => MEAN };

let nextId = 0;
const interned = new Map<string, WeakRef<Expr>>();
const cleanup = new FinalizationRegistry<string>((key) => {
  if (interned.get(key)?.deref() === undefined) interned.delete(key);
});

export class Expr implements Arith<Expr> {
  readonly id: number = nextId++;
  readonly kind: ExprKind;
  readonly args: readonly Expr[];

  private constructor(kind: ExprKind, args: readonly Expr[]) {
    this.kind = kind;
    this.args = args;
  }

  static #make(key: string, kind: ExprKind, args: readonly Expr[]): Expr {
    const existing = interned.get(key)?.deref();
    if (existing !== undefined) return existing;
    const created = new Expr(kind, args);
    interned.set(key, new WeakRef(created));
    cleanup.register(created, key);
    return created;
  }

  static constant(value: number): Expr {
    // -0 and 0 have different reciprocals, so they are different constants.
    return Expr.#make(`#${Object.is(value, -0) ? '-0' : value}`, { constant: value }, []);
  }

  static input(name: string): Expr {
    return Expr.#make(`$${name}`, { input: name }, []);
  }

  static operation(op: ScalarOpName, operands: readonly (Expr | number)[]): Expr {
    const { arity, cpu } = scalarOps[op];
    if (operands.length !== arity)
      throw new GatewiseError('argument', `${op}: expected ${arity} operands, got ${operands.length}`);
    const args = operands.map((arg) => (typeof arg === 'number' ? Expr.constant(arg) : expectExpr(op, arg)));
    const values = args.map(constantOf);
    if (values.every((value) => value !== undefined))
      return Expr.constant(cpu(values[0] ?? 0, values[1] ?? 0, values[2] ?? 0));
    return (
      simplify(op, args, values) ?? Expr.#make(`${op}(${args.map((arg) => arg.id).join()})`, { op }, args)
    );
  }

  /** The sum of linear maps across units, one for each operand. */
  static across(maps: readonly UnitMap[], operands: readonly Expr[]): Expr {
    const names = maps.map(({ name }) => name).join();
    for (const operand of operands) expectExpr(names, operand);
    return Expr.#make(`@${names}(${operands.map(({ id }) => id).join()})`, { across: maps }, operands);
  }

  apply(op: ScalarOpName, args: readonly (Expr | number)[]): Expr {
    return Expr.operation(op, args);
  }

  /** Readable text, such as `mul(sigmoid(f), c)`. */
  toString(): string {
    if ('constant' in this.kind) return String(this.kind.constant);
    if ('input' in this.kind) return this.kind.input;
    if ('across' in this.kind)
      return this.kind.across.map(({ name }, i) => `${name}·${this.args[i]}`).join(' + ');
    return `${this.kind.op}(${this.args.join(', ')})`;
  }
}

/** Arithmetic functions also accept tensors, which an update may have captured by mistake. */
function expectExpr(what: string, operand: Expr): Expr {
  if (!(operand instanceof Expr))
    throw new GatewiseError(
      'argument',
      `${what}: expected expressions and numbers, got ${show(operand)}; an update computes with what it is given and numbers alone`,
    );
  return operand;
}

export function constantOf(expr: Expr): number | undefined {
  return 'constant' in expr.kind ? expr.kind.constant : undefined;
}

/** An equal, simpler expression: removes the zeros and ones that derivatives produce. Exact for finite numbers. */
function simplify(
  op: ScalarOpName,
  [a, b, c]: readonly Expr[],
  [x, y]: readonly (number | undefined)[],
): Expr | undefined {
  switch (op) {
    case 'add':
      return x === 0 ? b : y === 0 ? a : undefined;
    case 'sub':
      return y === 0 ? a : x === 0 ? Expr.operation('neg', [b]) : undefined;
    case 'mul':
      if (x === 0 || y === 0) return Expr.constant(0);
      return x === 1 ? b : y === 1 ? a : undefined;
    case 'div':
      return x === 0 ? Expr.constant(0) : y === 1 ? a : undefined;
    case 'neg':
      return 'op' in a.kind && a.kind.op === 'neg' ? a.args[0] : undefined;
    case 'where':
      return x !== undefined ? (x !== 0 ? b : c) : b === c ? b : undefined;
    default:
      return undefined;
  }
}

/** Every expression below `roots`, each once, operands before the operations that use them. */
export function topological(roots: readonly Expr[]): Expr[] {
  const order: Expr[] = [];
  const seen = new Set<Expr>();
  const visit = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    expr.args.forEach(visit);
    order.push(expr);
  };
  roots.forEach(visit);
  return order;
}

/** The names of the inputs that `roots` read, in order of first use. */
export function inputsOf(roots: readonly Expr[]): string[] {
  return topological(roots).flatMap((expr) => ('input' in expr.kind ? [expr.kind.input] : []));
}

/** Replaces in `roots` each expression for which `replace` returns another one. */
export function rewrite(roots: readonly Expr[], replace: (expr: Expr) => Expr | undefined): Expr[] {
  const rewritten = new Map<Expr, Expr>();
  const visit = (expr: Expr): Expr => {
    const existing = rewritten.get(expr);
    if (existing !== undefined) return existing;
    const { kind } = expr;
    let result = replace(expr);
    if (result === undefined) {
      const args = expr.args.map(visit);
      if ('op' in kind) result = Expr.operation(kind.op, args);
      else result = 'across' in kind ? Expr.across(kind.across, args) : expr;
    }
    rewritten.set(expr, result);
    return result;
  };
  return roots.map(visit);
}

/** `roots` with inputs replaced by name; inputs without a replacement stay. */
export function substitute(roots: readonly Expr[], replace: ReadonlyMap<string, Expr>): Expr[] {
  return rewrite(roots, ({ kind }) => ('input' in kind ? replace.get(kind.input) : undefined));
}

/**
 * Reverse mode: the cotangent of every expression below `roots`, given those of the roots.
 * Griewank and Walther, "Evaluating derivatives", 2008, chapter 3.
 * @param stops Expressions that pass no cotangent to their operands.
 */
export function cotangents(
  roots: readonly Expr[],
  seeds: readonly Expr[],
  stops: ReadonlySet<Expr> = new Set(),
): (expr: Expr) => Expr {
  const zero = Expr.constant(0);
  const total = new Map<Expr, Expr>();
  const accumulate = (expr: Expr, cotangent: Expr): void => {
    total.set(expr, add(total.get(expr) ?? zero, cotangent));
  };
  roots.forEach((root, i) => accumulate(root, seeds[i]));
  for (const expr of topological(roots).reverse()) {
    const d = total.get(expr);
    if (d === undefined || stops.has(expr)) continue;
    const { kind } = expr;
    if ('op' in kind) {
      scalarOps[kind.op].grad(d, expr.args, expr).forEach((part, i) => {
        if (part !== 0) accumulate(expr.args[i], part);
      });
    } else if ('across' in kind) {
      kind.across.forEach((map, i) => accumulate(expr.args[i], Expr.across([map.adjoint()], [d])));
    }
  }
  return (expr) => total.get(expr) ?? zero;
}

/** The cotangents of the named inputs, given those of the roots. */
export function derivative(
  roots: readonly Expr[],
  seeds: readonly Expr[],
  inputs: readonly string[],
): Expr[] {
  const of = cotangents(roots, seeds);
  return inputs.map((name) => of(Expr.input(name)));
}

/** The name by which the expressions of an op refer to its input at a position, such as `in3`. */
export const inputName = (position: number): string => `in${position}`;

/** The position of an input from its name, such as `in3`. */
export const inputPosition = (name: string): number => Number(name.slice('in'.length));

/** The FLOP of expressions at one element; shared operations count once. */
export const countOperations = (exprs: readonly Expr[]): number =>
  topological(exprs).filter(({ kind }) => 'op' in kind).length;
