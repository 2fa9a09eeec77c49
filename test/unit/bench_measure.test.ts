// The benchmark's own machinery, with contestants and a WebGPU made up here.
import { expect, test } from 'vitest';

import { Unsupported, type Contestant, type Job } from '../../bench/contestants/contestant.ts';
import { ApiCounter, type GPUClasses } from '../../bench/counters.ts';
import { makeTask, type Task } from '../../bench/data.ts';
import { measureWorkload, type Progress } from '../../bench/measure.ts';
import type { Row, Settings } from '../../bench/results.ts';
import type { MatmulWorkload } from '../../bench/workloads.ts';

class Buffer {
  readonly size: number;
  constructor(size: number) {
    this.size = size;
  }
  destroy(): void {}
  mapAsync(): void {}
}
class Device {
  createBuffer({ size }: { size: number }): Buffer {
    return new Buffer(size);
  }
  createBindGroup(): object {
    return {};
  }
  createComputePipeline(): object {
    return {};
  }
  createComputePipelineAsync(): object {
    return {};
  }
}
class Queue {
  submit(): void {}
  writeBuffer(...values: readonly unknown[]): number {
    return values.length;
  }
}
class Encoder {
  beginComputePass(): object {
    return {};
  }
}
class Pass {
  dispatchWorkgroups(): void {}
  dispatchWorkgroupsIndirect(): void {}
}
// Stand-ins: the counter uses nothing of the real classes but their prototypes.
const classes = {
  GPUBuffer: Buffer,
  GPUDevice: Device,
  GPUQueue: Queue,
  GPUCommandEncoder: Encoder,
  GPUComputePassEncoder: Pass,
} as unknown as GPUClasses;

const workload: MatmulWorkload = { kind: 'matmul', name: 'product', sets: [], rows: 2, inner: 3, columns: 2 };
const task = makeTask(workload, 1);
const settings: Settings = {
  seed: 1,
  minSamples: 2,
  maxSamples: 3,
  budget: 20,
  burst: 1,
  deadline: 5000,
  reversed: false,
  passes: 1,
};

function productOf(task: Task): Float32Array {
  if (task.kind !== 'matmul') throw new Error('expected a product');
  const { rows, inner, columns } = task.workload;
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += task.data.a[row * inner + k] * task.data.b[k * columns + column];
    return sum;
  });
}

interface Fake {
  readonly log?: string[];
  readonly backend?: Contestant['backend'];
  readonly prepare?: () => void;
  readonly run?: (count: number) => void;
  readonly answer?: (right: Float32Array, count: number) => Float32Array;
  readonly onDispose?: () => void;
}

function contestant(name: string, fake: Fake = {}): Contestant {
  return {
    name,
    library: name,
    backend: fake.backend ?? 'cpu',
    version: '1',
    gru: 'reset after',
    biases: 2,
    prepare: async (task): Promise<Job> => {
      fake.prepare?.();
      let count = 0;
      return {
        run: () => {
          fake.log?.push(name);
          count++;
          fake.run?.(count);
        },
        read: () => Promise.resolve(fake.answer?.(productOf(task), count) ?? productOf(task)),
        dispose: () => fake.onDispose?.(),
      };
    },
  };
}

const measure = (
  contestants: readonly Contestant[],
  more: Partial<Settings> = {},
  report: (progress: Progress) => void = () => undefined,
): Promise<Row[]> =>
  measureWorkload(contestants, task, { ...settings, ...more }, { counter: new ApiCounter(classes) }, report);

test('a right answer is timed: first call, latency, pace, script, so many samples', async () => {
  const [row] = await measure([contestant('a')]);
  expect(row).toMatchObject({ workload: 'product', contestant: 'a', status: 'ok', backend: 'cpu' });
  expect(row.error).toBeLessThan(1e-6);
  expect(row.counts).toBeUndefined();
  const { first, latency, throughput, script } = row.timing ?? {};
  expect(first).toBeGreaterThanOrEqual(0);
  for (const summary of [latency, throughput, script]) {
    expect(summary?.samples).toBeGreaterThanOrEqual(2);
    expect(summary?.samples).toBeLessThanOrEqual(3);
  }
});

test('a wrong answer, NaN and a short answer are shown and not timed', async () => {
  const rows = await measure([
    contestant('off', { answer: (right) => right.map((x, i) => (i === 3 ? x + 0.01 : x)) }),
    contestant('nan', { answer: (right) => right.map((x, i) => (i === 2 ? Number.NaN : x)) }),
    contestant('short', { answer: (right) => right.slice(1) }),
  ]);
  expect(rows.map(({ status }) => status)).toEqual(['wrong', 'wrong', 'failed']);
  expect(rows.map(({ timing }) => timing)).toEqual([undefined, undefined, undefined]);
  expect(rows[0].note).toContain('differs from the reference by 0.01');
  expect(rows[2].note).toContain('expected 4 numbers, got 3');
});

test('later answers must be right too: of the second run, and after the turns', async () => {
  const wrongFrom = (from: number): Fake => ({
    answer: (right, count) => (count < from ? right : right.map((x) => x + 0.5)),
  });
  const rows = await measure([contestant('second', wrongFrom(2)), contestant('late', wrongFrom(50))]);
  expect(rows.map(({ status }) => status)).toEqual(['wrong', 'wrong']);
  expect(rows.map(({ timing }) => timing)).toEqual([undefined, undefined]);
  expect(rows[0].note).toMatch(/^differs/);
  expect(rows[1].note).toMatch(/^after it was timed it differs/);
});

test('a WebGPU contestant that dispatches only at first fell back', async () => {
  const once = (count: number): void => {
    if (count === 1) new Pass().dispatchWorkgroups();
  };
  const [row] = await measure([contestant('once', { backend: 'webgpu', run: once })]);
  expect(row).toMatchObject({ status: 'fell back', note: 'a warm run dispatches nothing on WebGPU' });
});

test('a WebGPU contestant that dispatches nothing fell back', async () => {
  const device = new Device();
  const dispatching = {
    run: (): void => {
      new Encoder().beginComputePass();
      new Pass().dispatchWorkgroups();
      new Pass().dispatchWorkgroups();
      new Queue().submit();
    },
    prepare: () => void device.createBuffer({ size: 100 }),
  };
  const rows = await measure([
    contestant('idle', { backend: 'webgpu' }),
    contestant('busy', { backend: 'webgpu', ...dispatching }),
  ]);
  expect(rows.map(({ status }) => status)).toEqual(['fell back', 'ok']);
  expect(rows[0].timing).toBeUndefined();
  expect(rows[1].counts).toMatchObject({ dispatches: 2, passes: 1, submits: 1, buffers: 0 });
  expect(rows[1].gpuBytes).toBe(100);
});

test('a contestant that puts off what nobody reads is not timed', async () => {
  let queued = 0;
  const lazy = contestant('lazy', { backend: 'webgpu', run: () => void (queued = 1) });
  const rows = await measure([
    {
      ...lazy,
      prepare: async (task) => {
        const job = await lazy.prepare(task);
        const read = (): Promise<Float32Array> => {
          for (; queued > 0; queued--) new Pass().dispatchWorkgroups();
          return job.read();
        };
        return { ...job, read };
      },
    },
  ]);
  expect(rows[0]).toMatchObject({ status: 'wrong' });
  expect(rows[0].note).toContain('1 dispatches for one run, 1 for 3');
});

test.each([0, 1])(
  'what a run leaves to the next turn of the event loop is counted with it, be it before or after its result (%d)',
  async (parity) => {
    // Two launches, and one ahead of the next run, which does that one itself where it comes first.
    let ahead: ReturnType<typeof setTimeout> | undefined;
    let isAhead = false;
    let runs = 0;
    const launch = (): void => new Pass().dispatchWorkgroups();
    const run = (): void => {
      clearTimeout(ahead);
      for (let n = isAhead ? 2 : 3; n > 0; n--) launch();
      isAhead = false;
      ahead = setTimeout(() => {
        launch();
        isAhead = true;
      }, 0);
    };
    const early = contestant('early', { backend: 'webgpu', run });
    const prepare = async (task: Task): Promise<Job> => {
      const job = await early.prepare(task);
      const read = async (): Promise<Float32Array> => {
        // Results come now and then before what is done ahead, as they do.
        if (runs++ % 2 === parity) await new Promise((resolve) => setTimeout(resolve, 1));
        return job.read();
      };
      return { ...job, read };
    };
    const [row] = await measure([{ ...early, prepare }]);
    clearTimeout(ahead);
    expect(row).toMatchObject({ status: 'ok', counts: { dispatches: 3 } });
  },
);

test('what cannot be done and what breaks is told apart, and leaves the others alone', async () => {
  const rows = await measure([
    contestant('lazy', {
      prepare: () => {
        throw new Unsupported('no time loop');
      },
    }),
    contestant('broken', {
      run: () => {
        throw new Error('out of memory');
      },
    }),
    contestant('fine'),
  ]);
  expect(rows.map(({ status, note }) => [status, note])).toEqual([
    ['unsupported', 'no time loop'],
    ['failed', 'out of memory'],
    ['ok', undefined],
  ]);
});

test('contestants take turns, in either order, and rows keep the order in which they were given', async () => {
  for (const reversed of [false, true]) {
    const log: string[] = [];
    const rows = await measure([contestant('a', { log }), contestant('b', { log })], { reversed });
    const runs = log.join('').replaceAll(/(.)\1*/g, '$1');
    // Prepared one after the other, then in turns.
    expect(runs).toMatch(reversed ? /^(ba){3,4}$/ : /^(ab){3,4}$/);
    expect(rows.map(({ contestant }) => contestant)).toEqual(['a', 'b']);
  }
});

test('every job that was made is disposed of', async () => {
  let open = 0;
  const counted: Fake = { prepare: () => void open++, onDispose: () => void open-- };
  await measure([
    contestant('right', counted),
    contestant('wrong', { ...counted, answer: (right) => right.map(() => 9) }),
    contestant('idle', { ...counted, backend: 'webgpu' }),
    contestant('broken', {
      ...counted,
      run: () => {
        throw new Error('no');
      },
    }),
  ]);
  expect(open).toBe(0);
});

test('a failure while timing is the failure of the whole, not a row without times', async () => {
  const late = contestant('late', {
    run: (count) => {
      if (count > 12) throw new Error('lost the device');
    },
  });
  const [row, other] = await measure([late, contestant('fine')]);
  expect(row).toMatchObject({ status: 'failed', note: 'lost the device' });
  expect(row.timing).toBeUndefined();
  expect(other.status).toBe('ok');
});

test('a contestant that does not come back has failed, and is left out from there on', async () => {
  const hangs = (from: number): Contestant => {
    const made = contestant('hangs');
    let reads = 0;
    const prepare = async (task: Task): Promise<Job> => {
      const job = await made.prepare(task);
      return { ...job, read: () => (++reads < from ? job.read() : new Promise(() => undefined)) };
    };
    return { ...made, prepare };
  };
  // While its answers are checked, while it is warmed up, while it is timed.
  for (const from of [1, 5, 15]) {
    const stuck = new Map<Contestant, string>();
    const all = [hangs(from), contestant('fine')];
    const once = (): Promise<Row[]> =>
      measureWorkload(
        all,
        task,
        { ...settings, deadline: 100 },
        { counter: new ApiCounter(classes) },
        () => undefined,
        stuck,
      );
    const [first, second] = [await once(), await once()];
    expect(first.map(({ status }) => status)).toEqual(['failed', 'ok']);
    expect(first[0].note).toMatch(/took more than 0\.1 s$/);
    expect(second.map(({ status, note }) => [status, note])).toEqual([
      ['failed', 'left out, as it did not come back from product'],
      ['ok', undefined],
    ]);
  }
});

test('a job that cannot be disposed of keeps its times, and leaves the others alone', async () => {
  const onDispose = (): void => {
    throw new Error('lost');
  };
  let disposed = 0;
  const wrong = contestant('wrong', { onDispose, answer: (right) => right.map(() => 9) });
  const fine = contestant('fine', { onDispose: () => void disposed++ });
  const rows = await measure([contestant('a', { onDispose }), wrong, fine]);
  expect(rows.map(({ status }) => status)).toEqual(['ok', 'wrong', 'ok']);
  expect(rows[0]).toMatchObject({ note: 'could not be disposed of: lost' });
  expect(rows[0].timing).toBeDefined();
  expect(disposed).toBe(1);
});

test('progress names what is being done', async () => {
  const seen: Progress[] = [];
  await measure([contestant('a'), contestant('b')], {}, (progress) => seen.push(progress));
  expect(seen.slice(0, 3).map(({ contestant, doing }) => [contestant, doing])).toEqual([
    ['a', 'preparing'],
    ['b', 'preparing'],
    ['a', 'timing'],
  ]);
  expect(seen.every(({ done }) => done >= 0 && done <= 1)).toBe(true);
});

test('the counter counts calls and bytes, and puts the API back', () => {
  const before = Object.getOwnPropertyDescriptor(Device.prototype, 'createBuffer');
  const counter = new ApiCounter(classes);
  const [device, queue] = [new Device(), new Queue()];
  counter.start();
  expect(() => counter.start()).toThrow('already counting');
  const [a, b] = [device.createBuffer({ size: 64 }), device.createBuffer({ size: 16 })];
  b.destroy();
  a.mapAsync();
  device.createBindGroup();
  device.createComputePipeline();
  device.createComputePipelineAsync();
  new Pass().dispatchWorkgroupsIndirect();
  const floats = new Float32Array(10);
  queue.writeBuffer(a, 0, floats);
  queue.writeBuffer(a, 0, floats, 2);
  queue.writeBuffer(a, 0, floats, 2, 3);
  queue.writeBuffer(a, 0, floats.buffer, 4, 8);
  const { counts, aliveBytes } = counter.stop();
  expect(counts).toEqual({
    dispatches: 1,
    passes: 0,
    submits: 0,
    bindGroups: 1,
    pipelines: 2,
    buffers: 2,
    bufferBytes: 80,
    writes: 4,
    writtenBytes: 40 + 32 + 12 + 8,
    maps: 1,
  });
  expect(aliveBytes).toBe(64);
  expect(Object.getOwnPropertyDescriptor(Device.prototype, 'createBuffer')).toEqual(before);
  device.createBuffer({ size: 1 });
  counter.start();
  expect(counter.stop().counts.buffers).toBe(0);
});

test('without a method of WebGPU counting fails by name and leaves nothing wrapped', () => {
  class Bare {
    readonly label = '';
  }
  const counter = new ApiCounter({ ...classes, GPUQueue: Bare } as unknown as GPUClasses);
  const before = Object.getOwnPropertyDescriptor(Pass.prototype, 'dispatchWorkgroups');
  expect(() => counter.start()).toThrow('counters: WebGPU has no submit here');
  expect(Object.getOwnPropertyDescriptor(Pass.prototype, 'dispatchWorkgroups')).toEqual(before);
});
