// The names of places, and how many units what is made of them has.
import type { Expr } from '../expr/expr.ts';
import type { Fail } from './check.ts';
import type { Width } from './phases.ts';

/** `slot12` as `slot` and 12. */
export function parsePlace(name: string): [kind: string, index: number] {
  const [, kind, index] = /^([a-z]+)(\d+)$/.exec(name) ?? [];
  return [kind, Number(index)];
}

/** How many units an expression has; undefined for what is the same at all. */
export function widths(
  fail: Fail,
  slots: readonly Width[],
  stateWidths: readonly Width[],
  resultWidths: readonly Width[],
): (expr: Expr) => Width | undefined {
  const known = new Map<Expr, Width | undefined>();
  const ofInput = (name: string): Width | undefined => {
    const [kind, index] = parsePlace(name);
    if (kind === 'slot') return slots[index];
    if (kind === 'state' || kind === 'after' || kind === 'carry') return stateWidths[index];
    if (kind === 'output' || kind === 'keep' || kind === 'below') return stateWidths[0];
    if (kind === 'pending' || kind === 'upper') return resultWidths[index];
    return kind === 'bias' || kind === 'weight' ? 'hidden' : undefined;
  };
  const visit = (expr: Expr): Width | undefined => {
    if (known.has(expr)) return known.get(expr);
    let width: Width | undefined;
    if ('input' in expr.kind) width = ofInput(expr.kind.input);
    else if ('across' in expr.kind) {
      const [map] = expr.kind.across;
      if (map.startsWith('hh') || map.startsWith('ih')) width = map.endsWith("'") ? stateWidths[0] : 'hidden';
      else if (map.startsWith('hr')) width = map.endsWith("'") ? 'hidden' : 'projection';
      else width = visit(expr.args[0]);
    } else {
      const all = new Set(expr.args.flatMap((arg) => visit(arg) ?? []));
      if (all.size > 1)
        fail(
          'update combines a value of the hidden size with one of the projected size; project the former first',
        );
      [width] = all;
    }
    known.set(expr, width);
    return width;
  };
  return visit;
}
