// A profile as text: one line a step with its cost, its time, and on a GPU the least that it could take.
import type { Profile, ProfileStep } from './profile.ts';
import { quantity, stepName, tableLines } from './table.ts';

const HEAD = ['step', 'op', 'dispatches', 'FLOP', 'bytes', 'time', 'share'];
const FLOOR_HEAD = ['floor', 'bound', 'rho'];

const METHODS: Readonly<Record<Profile['method'], string>> = {
  timestamps: 'timestamps of the device',
  slopes: 'the wall clock, over repeats',
  clock: 'the clock',
};

export function printProfile({ steps, seconds, method, device }: Profile): string {
  const total = (pick: (step: ProfileStep) => number): number =>
    steps.reduce((sum, step) => sum + pick(step), 0);
  const row = (cost: Pick<ProfileStep, 'dispatches' | 'flop' | 'bytes' | 'seconds'>): string[] => [
    String(cost.dispatches),
    quantity(cost.flop),
    quantity(cost.bytes, 'B'),
    quantity(cost.seconds, 's'),
    `${((100 * cost.seconds) / seconds).toFixed(1)} %`,
  ];
  const floor = (least: number, bound: string, time: number): string[] => [
    quantity(least, 's'),
    bound,
    (least / time).toFixed(2),
  ];
  const hasFloors = steps.every((step) => step.floorSeconds !== undefined);
  const least = total((step) => step.floorSeconds ?? 0);
  const rows = [
    [...HEAD, ...(hasFloors ? FLOOR_HEAD : [])],
    ...steps.map((step, i) => [
      String(i),
      stepName(step.op, step.label),
      ...row(step),
      ...(hasFloors ? floor(step.floorSeconds ?? 0, step.bound ?? '', step.seconds) : []),
    ]),
    [
      '',
      'total',
      ...row({
        dispatches: total((step) => step.dispatches),
        flop: total((step) => step.flop),
        bytes: total((step) => step.bytes),
        seconds,
      }),
      ...(hasFloors ? floor(least, '', seconds) : []),
    ],
  ];
  return [...tableLines(rows, 2), `${device}; timed by ${METHODS[method]}`].join('\n');
}
