// A plan as text: one line a step with what it reads and writes, its launches, FLOP and bytes; then the buffers.
import type { Region } from '../graph/launch.ts';
import type { BufferSpec } from './memory.ts';
import { countDispatches, type Plan } from './plan.ts';
import { quantity, stepName, tableLines } from './table.ts';

const bufferName = (spec: BufferSpec, i: number): string =>
  spec.kind === 'temporary' ? `t${i}` : `${spec.kind === 'argument' ? 'arg' : 'out'}${spec.index}`;

export function printPlan(plan: Plan): string {
  const region = ({ buffer, view }: Region): string =>
    `${bufferName(plan.buffers[buffer], buffer)}[${view.shape.join('×')}]`;
  const rows = plan.steps.map((step, i) => [
    String(i),
    stepName(step.op.name, step.label),
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
  const lines = tableLines([header, ...rows, footer], 3);
  const temporary = plan.buffers.filter(({ kind }) => kind === 'temporary');
  const bytes = temporary.reduce((sum, { size }) => sum + 4 * size, 0);
  const memory = plan.buffers
    .map((spec, i) => `${bufferName(spec, i)} ${quantity(4 * spec.size, 'B')}`)
    .join(', ');
  return [...lines, `${temporary.length} temporary buffers, ${quantity(bytes, 'B')}: ${memory}`].join('\n');
}
