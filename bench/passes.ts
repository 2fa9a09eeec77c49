// Several passes of the benchmark as one: each in a page of its own, with everything prepared anew and contestants taking
// turns the other way round. Samples of one pass share what the machine and the page happened to be like; passes do not,
// so only the spread over them says how far a rerun may be off.
import type { Calibration } from '../src/index.ts';
import type { Bandwidth } from '../src/plan/calibration.ts';
import type { Results, Row, Timing } from './results.ts';
import { withFloors } from './run_benchmark.ts';
import { medianOf, together } from './statistics.ts';

/** Whether a pass takes its turns from the last to the first: each the other way round than the one before. */
export const isReversed = (reversed: boolean, pass: number): boolean => reversed !== (pass % 2 === 1);

function bestBandwidth(all: readonly (readonly Bandwidth[])[]): Bandwidth[] {
  const best = new Map<number, Bandwidth>();
  for (const entry of all.flat()) {
    const known = best.get(entry.bytes);
    if (known === undefined || known.bytesPerSecond < entry.bytesPerSecond) best.set(entry.bytes, entry);
  }
  return [...best.values()].toSorted((a, b) => a.bytes - b.bytes);
}

/** What the adapter can do is the best that it did: a calibration that was disturbed gives too little. */
export function bestCalibration(all: readonly Calibration[]): Calibration {
  const most = (of: (one: Calibration) => number): number => Math.max(...all.map(of));
  const least = (of: (one: Calibration) => number): number => Math.min(...all.map(of));
  return {
    ...all[0],
    flopPerSecond: most((one) => one.flopPerSecond),
    oneWorkgroupFlopPerSecond: most((one) => one.oneWorkgroupFlopPerSecond),
    bandwidth: bestBandwidth(all.map(({ bandwidth }) => bandwidth)),
    oneWorkgroupBandwidth: bestBandwidth(all.map(({ oneWorkgroupBandwidth }) => oneWorkgroupBandwidth)),
    dispatchSeconds: least((one) => one.dispatchSeconds),
    barrierSeconds: least((one) => one.barrierSeconds),
    roundTripSeconds: least((one) => one.roundTripSeconds),
  };
}

function mergeTimings(timings: readonly Timing[]): Timing {
  const of = (name: 'latency' | 'throughput' | 'script') => together(timings.map((timing) => timing[name]));
  return {
    first: medianOf(timings.map(({ first }) => first)),
    latency: of('latency'),
    throughput: of('throughput'),
    script: of('script'),
  };
}

/** What rows say, each thing once, and what differs where it should not. */
function noteOf(rows: readonly Row[]): string | undefined {
  const notes = new Set(rows.flatMap(({ note }) => note ?? []));
  const dispatches = new Set(rows.flatMap(({ counts }) => counts?.dispatches ?? []));
  if (dispatches.size > 1) notes.add(`${[...dispatches].join(' and ')} dispatches, by pass`);
  return notes.size === 0 ? undefined : [...notes].join('; ');
}

/** A row of every pass that has it. What went wrong in one pass went wrong. */
function mergeRows(rows: readonly Row[], passes: number): Row {
  const [first] = rows;
  const bad = rows.findIndex(({ status }) => status !== 'ok');
  if (bad >= 0) {
    const { status, note } = rows[bad];
    if (rows.every((row) => row.status === status)) return rows[bad];
    return { ...rows[bad], note: `in pass ${bad + 1} of ${passes}: ${note ?? status}` };
  }
  const given = <T>(values: readonly (T | undefined)[]): T[] => values.filter((value) => value !== undefined);
  const errors = given(rows.map(({ error }) => error));
  const heap = given(rows.map(({ heapBytes }) => heapBytes));
  const timings = given(rows.map(({ timing }) => timing));
  const note = noteOf(rows);
  const bytes = given(rows.map(({ gpuBytes }) => gpuBytes));
  return {
    ...first,
    ...(note === undefined ? {} : { note }),
    ...(bytes.length === 0 ? {} : { gpuBytes: Math.max(...bytes) }),
    ...(errors.length === 0 ? {} : { error: Math.max(...errors) }),
    ...(heap.length === 0 ? {} : { heapBytes: medianOf(heap) }),
    ...(timings.length === 0 ? {} : { timing: mergeTimings(timings) }),
  };
}

/** What all passes must have in common. */
const sameIn = ({ adapter, environment, versions, calibration, workloads }: Results): string =>
  JSON.stringify([
    adapter,
    environment.agent,
    versions,
    calibration.method,
    workloads.map(({ name }) => name),
  ]);

/**
 * @param passes of the same workloads and contestants, the first one first; a later one may have come to its end early.
 * @throws Error where they ran on different things: a browser may be given another adapter when it starts anew.
 */
export function mergePasses(passes: readonly Results[]): Results {
  const [first] = passes;
  if (passes.length === 1) return first;
  const other = passes.find((pass) => sameIn(pass) !== sameIn(first));
  if (other !== undefined)
    throw new Error(
      `bench: passes must run on the same: ${other.adapter.description}, ${other.environment.agent} after ${first.adapter.description}, ${first.environment.agent}`,
    );
  const calibration = bestCalibration(passes.map((pass) => pass.calibration));
  const byRow = new Map<string, Row[]>();
  for (const row of passes.flatMap(({ rows }) => rows)) {
    const key = `${row.workload}/${row.contestant}`;
    byRow.set(key, [...(byRow.get(key) ?? []), row]);
  }
  const rows = [...byRow.values()].map((of) => mergeRows(of, passes.length));
  return {
    ...first,
    settings: { ...first.settings, passes: passes.length },
    calibration,
    rows: withFloors(first.workloads, rows, calibration),
  };
}
