// The columns of the tables on the page and in the terminal: the title, the meaning and the format of each number.
import { OWN, spreadOf, timeOf, type Row } from './results.ts';
import { formatRho, milliseconds, times } from './speed_table.ts';
import { isTied, type Summary } from './statistics.ts';
import type { Workload } from './workloads.ts';

export interface Column {
  /** With its unit. */
  readonly title: string;
  /** What it is, in a sentence or two. */
  readonly help: string;
  /** Undefined if there is no such number. @param own The time of gatewise on WebGPU, in milliseconds. */
  text(row: Row, workload: Workload, own: number | undefined): string | undefined;
}

const spread = ({ median, low, high }: Summary): string =>
  `${milliseconds(median)} (${milliseconds(low)}–${milliseconds(high)})`;

/** Three digits, or as many as there are before the point. */
const digits = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));

export const columns: readonly Column[] = [
  {
    title: 'first call, ms',
    help: 'From an empty model to the first result on the CPU: uploading weights, compiling shaders, one run. The library and its device have started before, and shaders of earlier workloads are there already. WebGPU’s calls are counted meanwhile.',
    text: ({ timing }) => timing && milliseconds(timing.first),
  },
  {
    title: 'latency, ms',
    help: 'One run by itself, from the call to its result on the CPU: the median of all samples, of several passes that of their medians, and the least and the greatest sample. Of a stream a sample is the median of eight steps, each 5 ms after the one before had its result.',
    text: ({ timing }) => timing && spread(timing.latency),
  },
  {
    title: 'per run, ms',
    help: 'The pace of many runs back to back: the slope of the time over their number, without the wait for the last result. Median and spread as of the latency.',
    text: ({ timing }) => timing && spread(timing.throughput),
  },
  {
    title: 'relative',
    help: `Its time over that of ${OWN}: 3× takes three times as long. By the time per run; of streams, where every result is waited for, by latency.`,
    text: (row, workload, own) => {
      const time = timeOf(workload, row);
      return own === undefined || time === undefined ? undefined : times(time / own);
    },
  },
  {
    title: 'ρ',
    help: 'The floor of the workload over the measured time. The floor is the multiply-adds, bytes and steps of the two ways that WebGPU has portably (a launch for each step, or one workgroup for each tile of rows), at the rates of the calibration. Another way, or a rate that the calibration missed, may go below it: ρ is above 1 then. A speed-up over a slow peer says little; ρ says what is left.',
    text: ({ rho }) => (rho === undefined ? undefined : formatRho(rho)),
  },
  {
    title: 'dispatches',
    help: 'Kernels launched in one warm run, counted by wrapping WebGPU in this page, for every contestant alike.',
    text: ({ counts }) => counts && String(counts.dispatches),
  },
  {
    title: 'submits',
    help: 'Command buffers handed to the queue in one warm run with its result read.',
    text: ({ counts }) => counts && String(counts.submits),
  },
  {
    title: 'bind groups',
    help: 'Bind groups made in one warm run: work for the CPU that a plan can do once.',
    text: ({ counts }) => counts && String(counts.bindGroups),
  },
  {
    title: 'GPU memory, MB',
    help: 'Bytes of the GPU buffers that it made for this workload and holds on to.',
    text: ({ gpuBytes }) => (gpuBytes === undefined ? undefined : digits(gpuBytes / 1e6)),
  },
  {
    title: 'script, ms',
    help: 'How long one run keeps the page’s own thread busy, until the call has returned. Where the work itself is done on that thread, it is in it.',
    text: ({ timing }) => timing && milliseconds(timing.script.median),
  },
  {
    title: 'heap, kB',
    help: 'JavaScript objects that one run leaves to the garbage collector. Only where the browser was started so that this can be measured, as the command does.',
    text: ({ heapBytes }) => (heapBytes === undefined ? undefined : digits(heapBytes / 1e3)),
  },
];

/** The contestants that were timed on a workload, the fastest first, by medians. */
export function timedOf(
  workload: Workload,
  rows: readonly Row[],
): readonly { readonly name: string; readonly spread: Summary }[] {
  const timed = rows.flatMap((row) => {
    const spread = row.workload === workload.name ? spreadOf(workload, row) : undefined;
    return spread === undefined ? [] : [{ name: row.contestant, spread }];
  });
  return timed.toSorted((a, b) => a.spread.median - b.spread.median);
}

/** `a < b` where b is slower than all before it, `a ≈ b` where its spread overlaps that of one of them. */
export function ranking(workload: Workload, rows: readonly Row[]): string {
  const timed = timedOf(workload, rows);
  const words = timed.map(({ name, spread }, i) => {
    const tied = timed.slice(0, i).some((other) => isTied(other.spread, spread));
    return i === 0 ? name : `${tied ? '≈' : '<'} ${name}`;
  });
  return words.join(' ');
}

/**
 * In how many workloads each contestant is fastest, most often first: `gatewise webgpu in 5 of 8 workloads, TF.js wasm in 3`.
 * A tie with the fastest counts.
 */
export function fastest(workloads: readonly Workload[], rows: readonly Row[]): string {
  const timed = workloads.map((workload) => timedOf(workload, rows)).filter(({ length }) => length > 0);
  const wins = new Map<string, number>();
  for (const [first, ...others] of timed)
    for (const { name } of [first, ...others.filter(({ spread }) => isTied(first.spread, spread))])
      wins.set(name, (wins.get(name) ?? 0) + 1);
  return [...wins]
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count], i) => `${name} in ${count}${i === 0 ? ` of ${timed.length} workloads` : ''}`)
    .join(', ');
}
