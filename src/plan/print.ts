// Prints a plan: one line per step with its operands, launches, FLOP and bytes; the totals per run and of the memoised steps;
// then the buffers.
import type { BufferSpec } from './memory.ts';
import type { Plan, Step } from './plan.ts';
import type { Region } from './region.ts';
import { quantity, stepName, tableLines } from './table.ts';

const bufferName = (spec: BufferSpec, i: number): string =>
  spec.kind === 'temporary' ? `t${i}` : `${spec.kind === 'argument' ? 'arg' : 'out'}${spec.index}`;

/** How a device runs a step. */
export interface LaunchedStep {
  readonly dispatches: number;
  /** The selected variant; undefined if the step has only one. */
  readonly variant?: string;
}

type Printed = Step & LaunchedStep;

function costCells(steps: readonly Printed[]): string[] {
  const total = (pick: (step: Printed) => number): number => steps.reduce((sum, step) => sum + pick(step), 0);
  return [
    String(total(({ dispatches }) => dispatches)),
    quantity(total(({ cost }) => cost.flop)),
    quantity(
      total(({ cost }) => cost.bytes),
      'B',
    ),
  ];
}

/** @param launched How the backend runs each step. */
export function printPlan(plan: Plan, launched: readonly LaunchedStep[]): string {
  const steps = plan.steps.map((step, i): Printed => ({ ...step, ...launched[i] }));
  const hasVariants = steps.some(({ variant }) => variant !== undefined);
  const variantCell = (text = ''): string[] => (hasVariants ? [text] : []);
  const region = ({ buffer, view }: Region): string =>
    `${bufferName(plan.buffers[buffer], buffer)}[${view.shape.join('×')}]`;
  const rows = steps.map((step, i) => [
    String(i),
    stepName(step.op.name, step.label, step),
    ...variantCell(step.variant),
    `${step.inputs.map(region).join(', ')} → ${step.outputs.map(region).join(', ')}`,
    ...costCells([step]),
  ]);
  const total = (name: string, memoised: boolean): string[] => [
    '',
    name,
    ...variantCell(),
    '',
    ...costCells(steps.filter((step) => step.memoised === memoised)),
  ];
  const header = ['step', 'op', ...variantCell('variant'), 'buffers', 'dispatches', 'FLOP', 'bytes'];
  const frozen = plan.frozen.map((index) => `arg${index}`).join(' or ');
  const when = frozen === '' ? 'once' : `at first and when ${frozen} changes`;
  const footer = [
    total('total', false),
    ...(plan.steps.some(({ memoised }) => memoised) ? [total(`memoised: ${when}`, true)] : []),
  ];
  const lines = tableLines([header, ...rows, ...footer], hasVariants ? 4 : 3);
  const temporary = plan.buffers.filter(({ kind }) => kind === 'temporary');
  const bytes = temporary.reduce((sum, { size }) => sum + 4 * size, 0);
  const memory = plan.buffers
    .map((spec, i) => `${bufferName(spec, i)} ${quantity(4 * spec.size, 'B')}`)
    .join(', ');
  return [...lines, `${temporary.length} temporary buffers, ${quantity(bytes, 'B')}: ${memory}`].join('\n');
}
