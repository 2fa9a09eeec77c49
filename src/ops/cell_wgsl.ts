// The WGSL of a cell: its update and its derivative, generated from the declaration.
import { cotangentInput, gateInput, stateInput, type Cell } from '../cells/cell.ts';
import type { Expr } from '../expr/expr.ts';
import { toWGSL } from '../expr/wgsl.ts';

const known = new WeakMap<Cell, string>();

/** The text spliced into the recurrent kernels; lib/cell.wgsl shows the shape of it. */
export function cellWGSL(cell: Cell): string {
  const text = known.get(cell) ?? generate(cell);
  known.set(cell, text);
  return text;
}

function generate({ name, gates, states, slots, recurrentSlot, program }: Cell): string {
  const inputs: Record<string, string> = {};
  for (let i = 0; i < slots; i++) inputs[gateInput(i)] = `gate[${i}]`;
  states.forEach((_, i) => {
    inputs[stateInput(i)] = `state[${i}]`;
    inputs[cotangentInput(i)] = `d[${i}]`;
  });
  const body = (roots: readonly Expr[], result: (texts: readonly string[]) => string): string => {
    const { statements, results } = toWGSL(roots, (input) => inputs[input]);
    return [...statements, `return ${result(results)};`].map((line) => `  ${line}`).join('\n');
  };
  return `// The cell "${name}": gates ${gates.join(', ')}; states ${states.join(', ')}.
const GATES = ${gates.length}u;
const SLOTS = ${slots}u;
const STATES = ${states.length}u;
const RECURRENT_SLOT = array<u32, GATES>(${recurrentSlot.map((slot) => `${slot}u`).join(', ')});

fn cell(gate: array<f32, SLOTS>, state: array<f32, STATES>) -> array<f32, STATES> {
${body(program.states, (texts) => `array<f32, STATES>(${texts.join(', ')})`)}
}

struct CellGradient {
  gate: array<f32, SLOTS>,
  state: array<f32, STATES>,
}

fn cell_backward(gate: array<f32, SLOTS>, state: array<f32, STATES>, d: array<f32, STATES>) -> CellGradient {
${body(
  program.gradients,
  (texts) =>
    `CellGradient(array<f32, SLOTS>(${texts.slice(0, slots).join(', ')}), array<f32, STATES>(${texts.slice(slots).join(', ')}))`,
)}
}`;
}
