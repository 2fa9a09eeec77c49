// A run of the benchmark as text.
import { tableLines } from '../src/plan/table.ts';
import { calibrationLines } from './calibration_table.ts';
import { columns, fastest, header, ownTime, ranking, remark } from './columns.ts';
import { describeRun, type Results, type Row } from './results.ts';
import { describeWorkload, type Workload } from './workloads.ts';

/** A workload's rows under its name; those without times say why, below. */
export function printWorkload(workload: Workload, rows: readonly Row[]): string {
  const own = ownTime(workload, rows);
  const of = rows.filter((row) => row.workload === workload.name);
  const timed = of.filter(({ timing }) => timing !== undefined);
  const table = timed.map((row) =>
    [row.contestant].concat(columns.map((column) => column.text(row, workload, own) ?? '')),
  );
  const notes = of.flatMap((row) => {
    const text = remark(row);
    return text === undefined ? [] : [`  ${row.contestant}: ${text}`];
  });
  return [
    `${workload.name}: ${describeWorkload(workload)}`,
    ...(table.length === 0 ? [] : tableLines([['', ...columns.map(header)], ...table], 1)),
    ...(table.length < 2 ? [] : [`  ${ranking(workload, rows)}`]),
    ...notes,
  ].join('\n');
}

/** Everything: what it ran on, what that can do, and a table for each workload. */
export function printResults(results: Results): string {
  const { adapter, environment, calibration, versions, workloads, rows } = results;
  const calibrated = calibrationLines(calibration).map(({ name, device, workgroup }) => [
    name,
    device,
    workgroup,
  ]);
  return [
    `${describeRun(adapter, environment)}, ${environment.agent}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    ['calibration', ...tableLines([['', 'device', 'one workgroup'], ...calibrated], 1)].join('\n'),
    ...workloads.map((workload) => printWorkload(workload, rows)),
    `fastest: ${fastest(workloads, rows)}`,
  ].join('\n\n');
}
