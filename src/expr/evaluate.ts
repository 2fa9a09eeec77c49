// Compiles expressions to a list of instructions that an interpreter runs in float64. It generates no JavaScript, so it works
// under any content security policy.
import { GatewiseError } from '../core/errors.ts';
import { topological, type Expr } from './expr.ts';
import { scalarOps, type ScalarOp } from './scalar_ops.ts';

export type Evaluate = (inputs: ArrayLike<number>, outputs: Float64Array) => void;

/** A function that evaluates `roots`. @param inputs The names of its inputs, in their order. */
export function evaluator(roots: readonly Expr[], inputs: readonly string[]): Evaluate {
  const order = topological(roots);
  const slot = new Map(order.map((expr, i) => [expr, i]));
  const registers = new Float64Array(order.length);
  const loads: [slot: number, input: number][] = [];
  const calls: { run: ScalarOp['cpu']; to: number; a: number; b: number; c: number }[] = [];
  const slotOf = (expr: Expr | undefined): number => (expr === undefined ? 0 : (slot.get(expr) ?? 0));
  order.forEach((expr, to) => {
    if ('constant' in expr.kind) registers[to] = expr.kind.constant;
    else if ('input' in expr.kind) {
      const input = inputs.indexOf(expr.kind.input);
      if (input < 0)
        throw new GatewiseError(
          'internal',
          `expression reads "${expr.kind.input}"; expected one of ${inputs.join(', ')}`,
        );
      loads.push([to, input]);
    } else if ('across' in expr.kind)
      throw new GatewiseError(
        'internal',
        `expression: ${expr} reaches across units and cannot be evaluated here`,
      );
    else {
      const [a, b, c] = expr.args;
      calls.push({ run: scalarOps[expr.kind.op].cpu, to, a: slotOf(a), b: slotOf(b), c: slotOf(c) });
    }
  });
  const results = roots.map(slotOf);
  return (values, outputs) => {
    for (const [to, input] of loads) registers[to] = values[input];
    for (const { run, to, a, b, c } of calls) registers[to] = run(registers[a], registers[b], registers[c]);
    for (let i = 0; i < results.length; i++) outputs[i] = registers[results[i]];
  };
}
