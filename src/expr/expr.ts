// Scalar expressions: a small immutable DAG of numbers, named inputs and scalar operations.
// Equal expressions are one object, so shared parts are computed once whatever they are turned into.
import { GatewiseError } from '../core/errors.ts';
import { add, type Arith, type ScalarOpName } from './arith.ts';
import { scalarOps } from './scalar_ops.ts';

export type ExprKind =
  | { readonly op: ScalarOpName }
  | { readonly constant: number }
  | { readonly input: string };

let nextId = 0;
const interned = new Map<string, WeakRef<Expr>>();
const forget = new FinalizationRegistry<string>((key) => {
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
    const known = interned.get(key)?.deref();
    if (known !== undefined) return known;
    const made = new Expr(kind, args);
    interned.set(key, new WeakRef(made));
    forget.register(made, key);
    return made;
  }

  static constant(value: number): Expr {
    // -0 and 0 are different numbers to a division.
    return Expr.#make(`#${Object.is(value, -0) ? '-0' : value}`, { constant: value }, []);
  }

  static input(name: string): Expr {
    return Expr.#make(`$${name}`, { input: name }, []);
  }

  static operation(op: ScalarOpName, operands: readonly (Expr | number)[]): Expr {
    const { arity, cpu } = scalarOps[op];
    if (operands.length !== arity) {
      throw new GatewiseError('argument', `${op}: expected ${arity} operands, got ${operands.length}`);
    }
    const args = operands.map((arg) => (typeof arg === 'number' ? Expr.constant(arg) : arg));
    const values = args.map(constantOf);
    if (values.every((value) => value !== undefined))
      return Expr.constant(cpu(values[0] ?? 0, values[1] ?? 0, values[2] ?? 0));
    return (
      simplify(op, args, values) ?? Expr.#make(`${op}(${args.map((arg) => arg.id).join()})`, { op }, args)
    );
  }

  apply(op: ScalarOpName, args: readonly (Expr | number)[]): Expr {
    return Expr.operation(op, args);
  }

  /** Readable text, such as `mul(sigmoid(f), c)`. */
  toString(): string {
    if ('constant' in this.kind) return String(this.kind.constant);
    if ('input' in this.kind) return this.kind.input;
    return `${this.kind.op}(${this.args.join(', ')})`;
  }
}

export function constantOf(expr: Expr): number | undefined {
  return 'constant' in expr.kind ? expr.kind.constant : undefined;
}

/** What the derivative's zeros and ones leave to drop. Exact for finite numbers. */
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

/** `roots` with inputs replaced by name; inputs without a replacement stay. */
export function substitute(roots: readonly Expr[], replace: ReadonlyMap<string, Expr>): Expr[] {
  const done = new Map<Expr, Expr>();
  for (const expr of topological(roots)) {
    if ('input' in expr.kind) done.set(expr, replace.get(expr.kind.input) ?? expr);
    else if ('op' in expr.kind) {
      done.set(
        expr,
        Expr.operation(
          expr.kind.op,
          expr.args.map((arg) => done.get(arg) ?? arg),
        ),
      );
    } else done.set(expr, expr);
  }
  return roots.map((root) => done.get(root) ?? root);
}

/**
 * Reverse-mode derivative: the cotangents of the named inputs, given those of the roots.
 * Griewank and Walther, "Evaluating derivatives", 2008, chapter 3.
 */
export function derivative(
  roots: readonly Expr[],
  cotangents: readonly Expr[],
  inputs: readonly string[],
): Expr[] {
  const zero = Expr.constant(0);
  const total = new Map<Expr, Expr>();
  const give = (expr: Expr, cotangent: Expr): void => {
    total.set(expr, add(total.get(expr) ?? zero, cotangent));
  };
  roots.forEach((root, i) => give(root, cotangents[i]));
  for (const expr of topological(roots).reverse()) {
    const d = total.get(expr);
    if (d === undefined || !('op' in expr.kind)) continue;
    scalarOps[expr.kind.op].grad(d, expr.args, expr).forEach((part, i) => {
      if (part !== 0) give(expr.args[i], part);
    });
  }
  return inputs.map((name) => total.get(Expr.input(name)) ?? zero);
}
