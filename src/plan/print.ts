// A plan as text: one line a step with what it reads and writes, its launches, FLOP and bytes; what a run sums up to, and
// what those steps do that seldom run; then the buffers.
import type { Region } from '../graph/launch.ts';
import type { BufferSpec } from './memory.ts';
import { countDispatches, type Plan, type Step } from './plan.ts';
import { quantity, stepName, tableLines } from './table.ts';

const bufferName = (spec: BufferSpec, i: number): string =>
  spec.kind === 'temporary' ? `t${i}` : `${spec.kind === 'argument' ? 'arg' : 'out'}${spec.index}`;

function costCells(steps: readonly Step[]): string[] {
  const total = (pick: (step: Step) => number): number => steps.reduce((sum, step) => sum + pick(step), 0);
  return [
    String(total(countDispatches)),
    quantity(total(({ cost }) => cost.flop)),
    quantity(
      total(({ cost }) => cost.bytes),
      'B',
    ),
  ];
}

export function printPlan(plan: Plan): string {
  const region = ({ buffer, view }: Region): string =>
    `${bufferName(plan.buffers[buffer], buffer)}[${view.shape.join('×')}]`;
  const rows = plan.steps.map((step, i) => [
    String(i),
    stepName(step.op.name, step.label, step.kept),
    `${step.inputs.map(region).join(', ')} → ${step.outputs.map(region).join(', ')}`,
    ...costCells([step]),
  ]);
  const total = (name: string, kept: boolean): string[] => [
    '',
    name,
    '',
    ...costCells(plan.steps.filter((step) => step.kept === kept)),
  ];
  const header = ['step', 'op', 'buffers', 'dispatches', 'FLOP', 'bytes'];
  const settled = plan.settled.map((index) => `arg${index}`).join(' or ');
  const when = settled === '' ? 'once' : `at first and when ${settled} changes`;
  const footer = [
    total('total', false),
    ...(plan.steps.some(({ kept }) => kept) ? [total(`kept: ${when}`, true)] : []),
  ];
  const lines = tableLines([header, ...rows, ...footer], 3);
  const temporary = plan.buffers.filter(({ kind }) => kind === 'temporary');
  const bytes = temporary.reduce((sum, { size }) => sum + 4 * size, 0);
  const memory = plan.buffers
    .map((spec, i) => `${bufferName(spec, i)} ${quantity(4 * spec.size, 'B')}`)
    .join(', ');
  return [...lines, `${temporary.length} temporary buffers, ${quantity(bytes, 'B')}: ${memory}`].join('\n');
}
