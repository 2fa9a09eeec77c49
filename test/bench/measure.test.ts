// How contestants are measured, with contestants and a WebGPU made up here.
import { expect, test } from 'vitest';

import { Unsupported, type Contestant, type Job } from '../../bench/contestants/contestant.ts';
import { ApiCounter, type GPUClasses } from '../../bench/counters.ts';
import { makeTask, type MatmulTask } from '../../bench/data.ts';
import { measureWorkload, type Report } from '../../bench/measure.ts';
import { presets, type Row, type Settings } from '../../bench/results.ts';

class Buffer {
  declare readonly size: number;
}
class Device {
  declare createBuffer: (descriptor: { readonly size: number }) => Buffer;
}
class Queue {
  declare submit: () => void;
}
class Pass {
  declare dispatchWorkgroups: () => void;
  declare dispatchWorkgroupsIndirect: () => void;
}
const nothing = (): object => ({});
const define = (to: { prototype: object }, names: readonly string[], value = nothing): void =>
  names.forEach((name) => Object.defineProperty(to.prototype, name, { value, configurable: true }));
define(Device, ['createBindGroup', 'createComputePipeline', 'createComputePipelineAsync']);
define(Device, ['createBuffer'], (...[options]: object[]) => Object.assign(new Buffer(), options));
define(Pass, ['dispatchWorkgroups', 'dispatchWorkgroupsIndirect']);
define(Queue, ['submit']);
define(Buffer, ['destroy']);
// Stand-ins: the counter uses nothing of the real classes but their prototypes.
const standIns = { GPUBuffer: Buffer, GPUDevice: Device, GPUQueue: Queue, GPUComputePassEncoder: Pass };
const classes = standIns as unknown as GPUClasses;
const dispatch = (): void => new Pass().dispatchWorkgroups();

const workload = { kind: 'matmul', name: 'product', sets: [], rows: 2, inner: 3, columns: 2 } as const;
const task = makeTask(workload, 1) as MatmulTask;
const right = Float32Array.from({ length: 4 }, (_, i) =>
  [0, 1, 2].reduce((sum, k) => sum + task.a[Math.floor(i / 2) * 3 + k]! * task.b[k * 2 + (i % 2)]!, 0),
);
const settings: Settings = { ...presets.trial, budget: 20, burst: 1, deadline: 100 };
const fail = (error: Error): never => {
  throw error;
};

interface Fake extends Partial<Omit<Job, 'run' | 'read'>> {
  readonly backend?: Contestant['backend'];
  readonly prepare?: () => void;
  /** @param count how often it has been run */
  readonly run?: (count: number) => void;
  readonly read?: (count: number) => Float32Array | Promise<Float32Array>;
}

function contestant(name: string, { backend = 'cpu', prepare, run, read, dispose }: Fake = {}): Contestant {
  const job = async (): Promise<Job> => {
    prepare?.();
    let count = 0;
    return {
      run: () => {
        count++;
        run?.(count);
      },
      read: async () => (await read?.(count)) ?? right,
      dispose: () => dispose?.(),
    };
  };
  return { name, library: name, backend, version: '1', prepare: job };
}

const measure = (
  contestants: readonly Contestant[],
  more: Partial<Settings> = {},
  report: Report = () => undefined,
  stuck?: Map<Contestant, string>,
): Promise<Row[]> => {
  const environment = { counter: new ApiCounter(classes) };
  return measureWorkload(contestants, task, { ...settings, ...more }, environment, report, stuck);
};

test('a right answer is timed: first call, latency, pace, script, so many samples', async () => {
  const [row] = await measure([contestant('a')]);
  expect(row).toMatchObject({ workload: 'product', contestant: 'a', status: 'ok', backend: 'cpu' });
  expect(row!.error).toBeLessThan(1e-6);
  expect(row!.counts).toBeUndefined();
  const { first, latency, throughput, script } = row!.timing!;
  expect(first).toBeGreaterThanOrEqual(0);
  for (const { samples } of [latency, throughput, script]) expect([2, 3]).toContain(samples);
});

const off = (by: number): Float32Array => right.map((x, i) => (i === 3 ? x + by : x));
const offFrom = (from: number) => (run: number) => off(run < from ? 0 : 1);
const gpu = { backend: 'webgpu' } as const;
let queued = 0;
const dispatchQueued = (): Float32Array => {
  for (; queued > 0; queued--) dispatch();
  return right;
};

test.each<[string, Fake, Row['status'], RegExp | string]>([
  ['a wrong answer', { read: () => off(0.5) }, 'wrong', /^differs from the reference by 0\.\d+ of its/],
  ['NaN', { read: () => off(Number.NaN) }, 'wrong', /^differs from the reference by NaN/],
  ['a short answer', { read: () => right.slice(1) }, 'failed', 'expected 4 numbers, got 3'],
  ['a wrong second answer', { read: offFrom(2) }, 'wrong', /^differs/],
  ['a wrong last answer', { read: offFrom(50) }, 'wrong', /^after it was timed it differs/],
  ['no dispatch', gpu, 'fell back', 'it dispatched nothing on WebGPU: it ran elsewhere'],
  [
    'a dispatch at first',
    { ...gpu, run: (n) => n === 1 && dispatch() },
    'fell back',
    /^a warm run dispatches/,
  ],
  [
    'work of the last run only',
    { ...gpu, run: () => (queued = 1), read: dispatchQueued },
    'wrong',
    /, 1 for 3$/,
  ],
  ['a lack', { prepare: () => fail(new Unsupported('no time loop')) }, 'unsupported', 'no time loop'],
  ['an error at once', { run: () => fail(new Error('out of memory')) }, 'failed', 'out of memory'],
  ['an error while it is timed', { run: (n) => n > 12 && fail(new Error('lost')) }, 'failed', 'lost'],
])('%s is shown and not timed, and leaves the others alone', async (_, fake, status, note) => {
  let open = 0;
  const counted = contestant('it', {
    ...fake,
    prepare: () => {
      open++;
      fake.prepare?.();
    },
    dispose: () => open--,
  });
  const [row, other] = await measure([counted, contestant('fine')]);
  expect([row!.status, row!.timing, other!.status]).toEqual([status, undefined, 'ok']);
  expect(row!.note).toMatch(note);
  expect(open).toBe(fake.prepare === undefined ? 0 : 1);
});

test.each([0, 1])(
  'what a run defers to the next turn of the event loop is counted with it (%d)',
  async (parity) => {
    // Two launches, and one prefetched for the next run, which does that one itself where it comes first.
    let timer: ReturnType<typeof setTimeout> | undefined;
    let prefetched = false;
    const run = (): void => {
      clearTimeout(timer);
      for (let n = prefetched ? 2 : 3; n > 0; n--) dispatch();
      prefetched = false;
      timer = setTimeout(() => {
        dispatch();
        prefetched = true;
      }, 0);
    };
    let reads = 0;
    const read = async (): Promise<Float32Array> => {
      // Results come now and then before what is deferred, as they do.
      if (reads++ % 2 === parity) await new Promise((resolve) => setTimeout(resolve, 1));
      return right;
    };
    const [row] = await measure([contestant('deferring', { backend: 'webgpu', run, read })]);
    clearTimeout(timer);
    expect(row).toMatchObject({ status: 'ok', counts: { dispatches: 3 } });
  },
);

test.each([false, true])('contestants take turns (reversed: %s), rows keep their order', async (reversed) => {
  const log: string[] = [];
  const logged = ['a', 'b'].map((name) => contestant(name, { run: () => log.push(name) }));
  const seen: [text: string, done: number][] = [];
  const rows = await measure(logged, { reversed }, (...report) => seen.push(report));
  // Prepared one after the other, then in turns.
  expect(log.join('').replaceAll(/(.)\1*/g, '$1')).toMatch(reversed ? /^(ba){3,4}$/ : /^(ab){3,4}$/);
  expect(rows.map(({ contestant }) => contestant)).toEqual(['a', 'b']);
  const [first, second] = reversed ? ['b', 'a'] : ['a', 'b'];
  const told = seen.slice(0, 3).map(([text]) => text);
  expect(told).toEqual([
    `product: preparing ${first}`,
    `product: preparing ${second}`,
    `product: timing ${first}`,
  ]);
  expect(seen.every(([, done]) => done >= 0 && done <= 1)).toBe(true);
});

// While its answers are checked, while it is warmed up, while it is timed.
test.each([1, 5, 15])(
  'a contestant that does not come back from read %d is left out from there on',
  async (from) => {
    const stuck = new Map<Contestant, string>();
    let reads = 0;
    const read = (): Float32Array | Promise<Float32Array> =>
      ++reads < from ? right : new Promise(() => undefined);
    const all = [contestant('hangs', { read }), contestant('fine')];
    const runs = [await measure(all, {}, undefined, stuck), await measure(all, {}, undefined, stuck)];
    expect(runs.map(([hung, fine]) => [hung!.status, fine!.status])).toEqual(
      runs.map(() => ['failed', 'ok']),
    );
    expect(runs.map(([hung]) => hung!.note)).toEqual([
      expect.stringMatching(/took more than 0\.1 s$/),
      'left out, as it did not come back from product',
    ]);
  },
);

test('a job that cannot be disposed of keeps its times, and leaves the others alone', async () => {
  const a = contestant('a', { dispose: () => fail(new Error('lost')) });
  const [row, fine] = await measure([a, contestant('b')]);
  expect(row).toMatchObject({ note: 'could not be disposed of: lost', timing: expect.any(Object) });
  expect([row!.status, fine!.status]).toEqual(['ok', 'ok']);
});

test('calls and buffers that are kept are counted, and the API is put back', async () => {
  const before = Object.getOwnPropertyDescriptor(Device.prototype, 'createBuffer');
  const counter = new ApiCounter(classes);
  const device = new Device() as unknown as GPUDevice;
  const { counts, aliveBytes } = await counter.during(async () => {
    await expect(counter.during(async () => 0)).rejects.toThrow('already counting');
    new Pass().dispatchWorkgroupsIndirect();
    dispatch();
    device.createBuffer({ size: 64, usage: 0 });
    device.createBuffer({ size: 16, usage: 0 }).destroy();
    await device.createComputePipelineAsync({} as GPUComputePipelineDescriptor);
  });
  expect(counts).toEqual({ dispatches: 2, submits: 0, bindGroups: 0, pipelines: 1 });
  expect(aliveBytes).toBe(64);
  // A method that is not there is an error by name, and leaves nothing wrapped.
  const bare = new ApiCounter({ ...classes, GPUQueue: Buffer } as unknown as GPUClasses);
  await expect(bare.during(async () => 0)).rejects.toThrow('counters: WebGPU has no submit here');
  expect(Object.getOwnPropertyDescriptor(Device.prototype, 'createBuffer')).toEqual(before);
});
