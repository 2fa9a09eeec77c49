// Merges several passes of the benchmark into one result. Each pass has a page of its own, prepares everything anew and reverses
// the order of turns. Samples of one pass share the state of machine and page; passes do not, so only the spread over passes
// tells how far a rerun may be off.
import { withRho } from './benchmark.ts';
import type { Results, Row, Timing } from './results.ts';
import { medianOf, together } from './statistics.ts';

function mergeTimings(timings: readonly Timing[]): Timing {
  const of = (name: 'latency' | 'throughput' | 'script') => together(timings.map((timing) => timing[name]));
  const first = medianOf(timings.map((timing) => timing.first));
  return { first, latency: of('latency'), throughput: of('throughput'), script: of('script') };
}

/** The notes of all passes, and what differs although it should not. */
function noteOf(rows: readonly Row[]): { readonly note?: string } {
  const notes = new Set(rows.flatMap(({ note }) => note ?? []));
  const dispatches = new Set(rows.flatMap(({ counts }) => counts?.dispatches ?? []));
  if (dispatches.size > 1) notes.add(`${[...dispatches].join(' and ')} dispatches, by pass`);
  return notes.size === 0 ? {} : { note: [...notes].join('; ') };
}

/** Merges the rows of one contestant and workload. A row that failed in one pass has failed. */
function mergeRows(rows: readonly Row[], passes: number): Row {
  const bad = rows.findIndex(({ status }) => status !== 'ok');
  if (bad >= 0) {
    const { status, note } = rows[bad];
    if (rows.every((row) => row.status === status)) return rows[bad];
    return { ...rows[bad], note: `in pass ${bad + 1} of ${passes}: ${note ?? status}` };
  }
  const errors = rows.flatMap(({ error }) => error ?? []);
  const bytes = rows.flatMap(({ gpuBytes }) => gpuBytes ?? []);
  const heap = rows.flatMap(({ heapBytes }) => heapBytes ?? []);
  const timings = rows.flatMap(({ timing }) => timing ?? []);
  return {
    ...rows[0],
    ...noteOf(rows),
    ...(errors.length > 0 && { error: Math.max(...errors) }),
    ...(bytes.length > 0 && { gpuBytes: Math.max(...bytes) }),
    ...(heap.length > 0 && { heapBytes: medianOf(heap) }),
    ...(timings.length > 0 && { timing: mergeTimings(timings) }),
  };
}

/** What all passes must have in common. */
const sameIn = ({ adapter, environment, versions, workloads }: Results): string =>
  JSON.stringify([adapter.description, environment.agent, versions, workloads.map(({ name }) => name)]);

/**
 * @param passes Passes of the same workloads and contestants, in order; a later one may have ended early.
 * @throws Error if they ran on different things: a browser may get another adapter when it starts anew.
 */
export function mergePasses(passes: readonly Results[]): Results {
  const [first] = passes;
  if (passes.length === 1) return first;
  const other = passes.find((pass) => sameIn(pass) !== sameIn(first));
  if (other !== undefined)
    throw new Error(`bench: passes must run on the same: ${sameIn(other)} after ${sameIn(first)}`);
  // From the pass in which the adapter was fastest: a disturbed calibration gives rates that are too low.
  const { calibration } = passes.reduce((best, pass) =>
    pass.calibration.flopPerSecond > best.calibration.flopPerSecond ? pass : best,
  );
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
    rows: withRho(first.workloads, rows, calibration),
  };
}
