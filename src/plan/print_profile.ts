// Prints a profile: one line per step with its cost, its time and, on a GPU, its floor.
import type { Profile, ProfileStep } from './profile.ts';
import { quantity, stepName, tableLines } from './table.ts';

const HEAD = ['step', 'op', 'dispatches', 'FLOP', 'bytes', 'time', 'share'];
const FLOOR_HEAD = ['floor', 'bound', 'rho'];

const METHODS: Readonly<Record<Profile['method'], string>> = {
  timestamps: 'timestamps of the device',
  slopes: 'the wall clock, over repeats',
  clock: 'the clock',
};

type Costs = Pick<ProfileStep, 'dispatches' | 'flop' | 'bytes' | 'seconds'>;

export function printProfile({ steps, seconds, method, device }: Profile): string {
  const hasFloors = steps.every((step) => step.floorSeconds !== undefined);
  /** @param memoised The step is not part of a run, so it has no share of the run's time. */
  const row = (cost: Costs, least: number, bound: string, memoised: boolean): string[] => [
    String(cost.dispatches),
    quantity(cost.flop),
    quantity(cost.bytes, 'B'),
    quantity(cost.seconds, 's'),
    memoised ? '' : `${((100 * cost.seconds) / seconds).toFixed(1)} %`,
    ...(hasFloors ? [quantity(least, 's'), bound, (least / cost.seconds).toFixed(2)] : []),
  ];
  const total = (name: string, memoised: boolean): string[] => {
    const own = steps.filter((step) => step.memoised === memoised);
    const sum = (pick: (step: ProfileStep) => number): number =>
      own.reduce((all, step) => all + pick(step), 0);
    const costs: Costs = {
      dispatches: sum((step) => step.dispatches),
      flop: sum((step) => step.flop),
      bytes: sum((step) => step.bytes),
      seconds: sum((step) => step.seconds),
    };
    return [
      '',
      name,
      ...row(
        costs,
        sum((step) => step.floorSeconds ?? 0),
        '',
        memoised,
      ),
    ];
  };
  const rows = [
    [...HEAD, ...(hasFloors ? FLOOR_HEAD : [])],
    ...steps.map((step, i) => [
      String(i),
      stepName(step.op, step.label, step),
      ...row(step, step.floorSeconds ?? 0, step.bound ?? '', step.memoised),
    ]),
    total('total', false),
    ...(steps.some(({ memoised }) => memoised) ? [total('memoised: at first and after changes', true)] : []),
  ];
  return [...tableLines(rows, 2), `${device}; timed by ${METHODS[method]}`].join('\n');
}
