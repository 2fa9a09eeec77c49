// A run of the benchmark as text.
import type { Calibration } from '../src/index.ts';
import { quantity, tableLines } from '../src/plan/table.ts';
import { columns, fastest, ranking } from './columns.ts';
import { describeRun, ownTime, type Results, type Row } from './results.ts';
import { describeWorkload, type Workload } from './workloads.ts';

const KIB = 1024;
const size = (bytes: number): string =>
  bytes < KIB * KIB ? `${bytes / KIB} KiB` : `${bytes / KIB / KIB} MiB`;

/** Each measured quantity: its name, its rate on the whole device and in one workgroup of 256 invocations; '' if there is none. */
export function calibrationLines(
  calibration: Calibration,
): readonly (readonly [name: string, device: string, workgroup: string])[] {
  const { bandwidth, oneWorkgroupBandwidth, flopPerSecond, oneWorkgroupFlopPerSecond } = calibration;
  const reads = bandwidth.map(({ bytes, bytesPerSecond }) => {
    const one = oneWorkgroupBandwidth.find((entry) => entry.bytes === bytes);
    const workgroup = one === undefined ? '' : quantity(one.bytesPerSecond, 'B/s');
    return [`reading ${size(bytes)} again and again`, quantity(bytesPerSecond, 'B/s'), workgroup] as const;
  });
  const flops = [flopPerSecond, oneWorkgroupFlopPerSecond].map((rate) => quantity(rate, 'FLOP/s'));
  return [
    ['multiply-adds in registers', flops[0], flops[1]],
    ...reads,
    ['one more dispatch', quantity(calibration.dispatchSeconds, 's'), ''],
    ['a barrier', '', quantity(calibration.barrierSeconds, 's')],
    ['submit and read back', quantity(calibration.roundTripSeconds, 's'), ''],
  ];
}

/** A workload's rows under its name; those without times give the reason below. */
export function printWorkload(workload: Workload, rows: readonly Row[]): string {
  const own = ownTime(workload, rows);
  const of = rows.filter((row) => row.workload === workload.name);
  const timed = of.filter(({ timing }) => timing !== undefined);
  const table = timed.map((row) =>
    [row.contestant].concat(columns.map((column) => column.text(row, workload, own) ?? '')),
  );
  const notes = of.flatMap(({ contestant, status, note }) => {
    const parts = [...(status === 'ok' ? [] : [status]), ...(note === undefined ? [] : [note])];
    return parts.length === 0 ? [] : [`  ${[contestant, ...parts].join(': ')}`];
  });
  return [
    `${workload.name}: ${describeWorkload(workload)}`,
    ...(table.length === 0 ? [] : tableLines([['', ...columns.map(({ title }) => title)], ...table], 1)),
    ...(table.length < 2 ? [] : [`  ${ranking(workload, rows)}`]),
    ...notes,
  ].join('\n');
}

/** The adapter and machine, the calibration, and a table for each workload. */
export function printResults(results: Results): string {
  const { adapter, environment, calibration, versions, workloads, rows } = results;
  return [
    `${describeRun(adapter, environment)}, ${environment.agent}`,
    Object.entries(versions)
      .map((version) => version.join(' '))
      .join(', '),
    [
      'calibration',
      ...tableLines([['', 'device', 'one workgroup'], ...calibrationLines(calibration)], 1),
    ].join('\n'),
    ...workloads.map((workload) => printWorkload(workload, rows)),
    `fastest: ${fastest(workloads, rows)}`,
  ].join('\n\n');
}
