// Plans and profiles as text tables: one line per step, then the totals of a run and of the memoised steps.
import type { Plan, Step } from './plan.ts';
import type { Region } from './target.ts';
import type { Profile, ProfileStep } from './profile.ts';
import { quantity, stepName, tableLines } from './table.ts';

/** Arguments and outputs have their own names. */
function bufferName({ arguments: args, outputs, buffers }: Plan, buffer: number): string {
  const { kind, index = 0 } = buffers[buffer];
  return kind === 'temporary' ? `t${buffer}` : (kind === 'argument' ? args : outputs)[index].name;
}

/** How a backend runs a step. */
export interface LaunchedStep {
  readonly dispatches: number;
  /** The variant of the kernel; undefined if the kernel has one variant for this step. */
  readonly variant?: string;
}

type Printed = Step & LaunchedStep;

const totalOf = <T>(items: readonly T[], pick: (item: T) => number): number =>
  items.reduce((sum, item) => sum + pick(item), 0);

/** The summed dispatches, FLOP and bytes of steps. */
const costCells = (steps: readonly Printed[]): string[] => [
  String(totalOf(steps, ({ dispatches }) => dispatches)),
  quantity(totalOf(steps, ({ cost }) => cost.flop)),
  quantity(
    totalOf(steps, ({ cost }) => cost.bytes),
    'B',
  ),
];

/**
 * The table of a plan: buffers, launches, FLOP and bytes of each step, then the sizes of all buffers.
 * @param launched How the backend runs each step.
 */
export function printPlan(plan: Plan, launched: readonly LaunchedStep[]): string {
  const steps = plan.steps.map((step, i): Printed => ({ ...step, ...launched[i] }));
  const hasVariants = steps.some(({ variant }) => variant !== undefined);
  const variantCell = (text = ''): string[] => (hasVariants ? [text] : []);
  const region = ({ buffer, view }: Region): string => `${bufferName(plan, buffer)}[${view.shape.join('×')}]`;
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
  const frozen = plan.frozen.map((index) => plan.arguments[index].name).join(' or ');
  const when = frozen === '' ? 'once' : `at first and when ${frozen} changes`;
  const footer = [
    total('total', false),
    ...(plan.steps.some(({ memoised }) => memoised) ? [total(`memoised: ${when}`, true)] : []),
  ];
  const lines = tableLines([header, ...rows, ...footer], hasVariants ? 4 : 3);
  const temporary = plan.buffers.filter(({ kind }) => kind === 'temporary');
  const bytes = totalOf(temporary, ({ size }) => 4 * size);
  const memory = plan.buffers
    .map((spec, i) => `${bufferName(plan, i)} ${quantity(4 * spec.size, 'B')}`)
    .join(', ');
  return [...lines, `${temporary.length} temporary buffers, ${quantity(bytes, 'B')}: ${memory}`].join('\n');
}

const HEAD = ['step', 'op', 'dispatches', 'FLOP', 'bytes', 'time', 'share'];
const FLOOR_HEAD = ['floor', 'bound', 'rho'];

const METHODS: Readonly<Record<Profile['method'], string>> = {
  timestamps: 'timestamps of the device',
  slopes: 'the wall clock, over repeats',
  clock: 'the clock',
};

/** The table of a profile: cost and time of each step and on a GPU its floor, then their totals. */
export function printProfile({ steps, seconds, method, device }: Profile): string {
  const hasFloors = steps.every((step) => step.floorSeconds !== undefined);
  /** The sums over steps. Memoised steps are no part of a run, so they have no share of its time. */
  const cells = (list: readonly ProfileStep[], memoised: boolean, bound = ''): string[] => {
    const time = totalOf(list, (step) => step.seconds);
    const floor = totalOf(list, (step) => step.floorSeconds ?? 0);
    return [
      String(totalOf(list, (step) => step.dispatches)),
      quantity(totalOf(list, (step) => step.flop)),
      quantity(
        totalOf(list, (step) => step.bytes),
        'B',
      ),
      quantity(time, 's'),
      memoised ? '' : `${((100 * time) / seconds).toFixed(1)} %`,
      ...(hasFloors ? [quantity(floor, 's'), bound, (floor / time).toFixed(2)] : []),
    ];
  };
  const [once, others] = [true, false].map((memoised) => steps.filter((step) => step.memoised === memoised));
  const rows = [
    [...HEAD, ...(hasFloors ? FLOOR_HEAD : [])],
    ...steps.map((step, i) => [
      String(i),
      stepName(step.op, step.label, step),
      ...cells([step], step.memoised, step.bound),
    ]),
    ['', 'total', ...cells(others, false)],
    ...(once.length > 0 ? [['', 'memoised: at first and after changes', ...cells(once, true)]] : []),
  ];
  return [...tableLines(rows, 2), `${device}; timed by ${METHODS[method]}`].join('\n');
}
