// Generates WGSL from expressions: one `let` for each operation, and shared subexpressions once.
import { GatewiseError } from '../core/errors.ts';
import { topological, type Expr } from './expr.ts';
import { scalarOps } from './scalar_ops.ts';

/** A number as a float32 literal. @throws GatewiseError `unsupported` if it is not finite in float32. */
export function literal(value: number): string {
  const rounded = Math.fround(value);
  if (!Number.isFinite(rounded))
    throw new GatewiseError('unsupported', `WGSL has no literal for ${value}; use a finite float32 number`);
  const text = String(rounded);
  return /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
}

/** Statements that compute `roots`, and the WGSL of each root's value. @param input The WGSL of an input. */
export function toWGSL(
  roots: readonly Expr[],
  input: (name: string, expr: Expr) => string,
): { statements: string[]; results: string[] } {
  const text = new Map<Expr, string>();
  const statements: string[] = [];
  for (const expr of topological(roots)) {
    if ('across' in expr.kind)
      throw new GatewiseError(
        'internal',
        `expression: ${expr} reads other units of its row and cannot be compiled to WGSL by itself`,
      );
    if ('constant' in expr.kind) text.set(expr, literal(expr.kind.constant));
    else {
      const name = `v${statements.length}`;
      const args = expr.args.map((arg) => text.get(arg) ?? '');
      const value =
        'input' in expr.kind
          ? input(expr.kind.input, expr)
          : scalarOps[expr.kind.op].wgsl(args[0], args[1], args[2]);
      statements.push(`let ${name} = ${value};`);
      text.set(expr, name);
    }
  }
  return { statements, results: roots.map((root) => text.get(root) ?? '') };
}
