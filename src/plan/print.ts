// A plan as text: one line a step with what it reads and writes, its launches, FLOP and bytes; then the buffers.
import type { Region } from '../graph/launch.ts';
import type { BufferSpec } from './memory.ts';
import { countDispatches, type Plan } from './plan.ts';

/** 1234567 as `1.23 M`. */
export function quantity(value: number, unit = ''): string {
  const steps = ['', 'k', 'M', 'G', 'T'];
  // As it is printed: 999999 is 1.00 M.
  const rounded = value < 1000 ? value : Number(value.toPrecision(3));
  const power = rounded < 1000 ? 0 : Math.min(steps.length - 1, Math.floor(Math.log10(rounded) / 3));
  const scaled = rounded / 1000 ** power;
  const text = power === 0 || scaled >= 1000 ? String(scaled) : scaled.toPrecision(3);
  return `${text} ${steps[power]}${unit}`.trimEnd();
}

const bufferName = (spec: BufferSpec, i: number): string =>
  spec.kind === 'temporary' ? `t${i}` : `${spec.kind === 'argument' ? 'arg' : 'out'}${spec.index}`;

export function printPlan(plan: Plan): string {
  const region = ({ buffer, view }: Region): string =>
    `${bufferName(plan.buffers[buffer], buffer)}[${view.shape.join('×')}]`;
  const rows = plan.steps.map((step, i) => [
    String(i),
    step.label.startsWith(step.op.name) ? step.label : `${step.op.name}: ${step.label}`,
    `${step.inputs.map(region).join(', ')} → ${step.outputs.map(region).join(', ')}`,
    String(countDispatches(step)),
    quantity(step.cost.flop),
    quantity(step.cost.bytes, 'B'),
  ]);
  const total = (pick: (i: number) => number): number => plan.steps.reduce((sum, _, i) => sum + pick(i), 0);
  const launches = total((i) => countDispatches(plan.steps[i]));
  const header = ['step', 'op', 'buffers', 'dispatches', 'FLOP', 'bytes'];
  const footer = [
    '',
    'total',
    '',
    String(launches),
    quantity(total((i) => plan.steps[i].cost.flop)),
    quantity(
      total((i) => plan.steps[i].cost.bytes),
      'B',
    ),
  ];
  const table = [header, ...rows, footer];
  const widths = header.map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => (column >= 3 ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join('  ')
      .trimEnd(),
  );
  const temporary = plan.buffers.filter(({ kind }) => kind === 'temporary');
  const bytes = temporary.reduce((sum, { size }) => sum + 4 * size, 0);
  const memory = plan.buffers
    .map((spec, i) => `${bufferName(spec, i)} ${quantity(4 * spec.size, 'B')}`)
    .join(', ');
  return [...lines, `${temporary.length} temporary buffers, ${quantity(bytes, 'B')}: ${memory}`].join('\n');
}
