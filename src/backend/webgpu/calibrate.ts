// Measures a device with kernels that do one thing each: arithmetic, reading, barriers, dispatches.
import { calibrate_barrier } from '../../../shaders/gen/calibrate_barrier.ts';
import { calibrate_dispatch } from '../../../shaders/gen/calibrate_dispatch.ts';
import { calibrate_fma } from '../../../shaders/gen/calibrate_fma.ts';
import { calibrate_read } from '../../../shaders/gen/calibrate_read.ts';
import { dispatch, type Dispatch } from '../../graph/launch.ts';
import type { Bandwidth, Calibration } from '../../plan/calibration.ts';
import { describeAdapter, isSoftware } from './adapter_info.ts';
import { createBindGroup, createUniforms } from './bindings.ts';
import { createStorage } from './buffers.ts';
import type { Pipelines } from './pipelines.ts';
import type { Staging } from './staging.ts';
import { median, series, type Clock, type Repeat, type Stopwatch } from './stopwatch.ts';

/** What the kernels say of themselves: invocations of a workgroup, FLOP of each a round, barriers a round. */
const INVOCATIONS = 256;
const FLOP_A_ROUND = 2 * 8192;
const BARRIERS_A_ROUND = 8;

/** Workgroups that fill the device. */
const GPU_GRID = 2048;
const SOFTWARE_GRID = 16;

const KIB = 1024;
const SIZES: readonly number[] = Array.from({ length: 7 }, (_, i) => 64 * KIB * 4 ** i);
const MOST_OF_ONE_WORKGROUP = 4 * KIB * KIB;
const MOST_OF_SOFTWARE = 16 * KIB * KIB;
/** Seconds of one pass over a buffer; larger buffers are left out. */
const LONGEST_READ = 0.1;
const ROUND_TRIPS = 25;

/** Uniforms of 1, 2, 4, … rounds. */
function doublings<U extends object>(count: number, uniforms: U): (U & { readonly rounds: number })[] {
  return Array.from({ length: count }, (_, i) => ({ ...uniforms, rounds: 2 ** i }));
}

const OUT = { buffer: 0, offset: 0 };
const DATA = { buffer: 1, offset: 0 };

const arithmetic = (grid: number): Dispatch =>
  dispatch(calibrate_fma, {
    bindings: { out: OUT },
    uniforms: doublings(20, { factor: 0.999, summand: 0.001 }),
    workgroups: [grid, 1, 1],
  });
const barriers = dispatch(calibrate_barrier, {
  bindings: { out: OUT },
  uniforms: doublings(24, {}),
  workgroups: [1, 1, 1],
});
const nothing = dispatch(calibrate_dispatch, {
  bindings: { out: OUT },
  uniforms: { summand: 1 },
  workgroups: [1, 1, 1],
});

function reading(bytes: number, grid: number): Dispatch {
  const size = bytes / 16;
  return dispatch(calibrate_read, {
    bindings: { data: DATA, out: OUT },
    // Up to 2^30 vec4s in all.
    uniforms: doublings(31 - Math.log2(size), { size }),
    workgroups: [grid, 1, 1],
  });
}

export async function calibrate(
  device: GPUDevice,
  pipelines: Pipelines,
  staging: Staging,
  stopwatch: Stopwatch,
): Promise<Calibration> {
  const software = isSoftware(device);
  const grid = software ? SOFTWARE_GRID : GPU_GRID;
  const out = createStorage(device, grid * INVOCATIONS, 'calibration');
  const timed = async <T>(
    launch: Dispatch,
    use: (repeat: Repeat) => Promise<T>,
    data: readonly GPUBuffer[] = [],
  ): Promise<T> => {
    const { repeat, dispose } = prepare(device, pipelines, launch, [out, ...data]);
    return use(repeat).finally(dispose);
  };
  let method: Clock = 'slopes';
  // The shortest: what else runs on the machine can only add, and this is what the device can do.
  const fastest = async (repeat: Repeat): Promise<number> =>
    Math.min(...(await stopwatch.samples(repeat, method)));
  const flop = async (workgroups: number): Promise<number> =>
    (workgroups * INVOCATIONS * FLOP_A_ROUND) / (await timed(arithmetic(workgroups), fastest));
  const bandwidth = async (workgroups: number, most: number): Promise<Bandwidth[]> => {
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
    const limit = Math.min(most, maxBufferSize, maxStorageBufferBindingSize);
    const found: Bandwidth[] = [];
    for (const bytes of SIZES.filter((size) => size <= limit)) {
      const data = await createIfRoom(device, bytes);
      if (data === undefined) break;
      const seconds = await timed(reading(bytes, workgroups), fastest, [data]).finally(() => data.destroy());
      found.push({ bytes, bytesPerSecond: bytes / seconds });
      if (4 * seconds > LONGEST_READ) break;
    }
    return found;
  };
  try {
    method = await timed(arithmetic(grid), (repeat) => stopwatch.clockFor(repeat));
    // Arithmetic last, when the device has left the slow clock at which it idles.
    const dispatchSeconds = await timed(nothing, fastest);
    const barrierSeconds = (await timed(barriers, fastest)) / BARRIERS_A_ROUND;
    const oneWorkgroupBandwidth = await bandwidth(1, MOST_OF_ONE_WORKGROUP);
    const all = await bandwidth(grid, software ? MOST_OF_SOFTWARE : Infinity);
    return {
      device: describeAdapter(device),
      method,
      oneWorkgroupFlopPerSecond: await flop(1),
      flopPerSecond: await flop(grid),
      bandwidth: all,
      oneWorkgroupBandwidth,
      dispatchSeconds,
      barrierSeconds,
      roundTripSeconds: median(await series(ROUND_TRIPS, () => roundTrip(device, staging, out))),
    };
  } finally {
    out.destroy();
  }
}

/** A kernel on its buffers. Row i of its uniforms makes it do 2^i times its work; what the last row leaves it does again. */
function prepare(
  device: GPUDevice,
  pipelines: Pipelines,
  launch: Dispatch,
  buffers: readonly GPUBuffer[],
): { readonly repeat: Repeat; readonly dispose: () => void } {
  const uniforms = createUniforms(device, [launch]);
  const offsets = uniforms.offsets.get(launch) ?? new Uint32Array(1);
  const pipeline = pipelines.for(launch);
  const group = createBindGroup(device, launch, pipeline, uniforms.buffer, (index) => buffers[index]);
  return {
    repeat: (pass, times) => {
      if (times === 0) return;
      const row = Math.min(Math.log2(times), offsets.length - 1);
      pass.setPipeline(pipeline.pipeline);
      for (let done = 0; done < times; done += 2 ** row) {
        pass.setBindGroup(0, group, offsets, row, 1);
        pass.dispatchWorkgroups(...launch.workgroups);
      }
    },
    dispose: () => uniforms.buffer.destroy(),
  };
}

async function createIfRoom(device: GPUDevice, bytes: number): Promise<GPUBuffer | undefined> {
  device.pushErrorScope('out-of-memory');
  const buffer = createStorage(device, bytes / 4, 'calibration');
  return (await device.popErrorScope()) === null ? buffer : undefined;
}

async function roundTrip(device: GPUDevice, staging: Staging, source: GPUBuffer): Promise<number> {
  const encoder = device.createCommandEncoder({ label: 'gatewise calibration' });
  const readback = staging.copy(encoder, source, 0, 1, 'f32');
  const commands = encoder.finish();
  const start = performance.now();
  device.queue.submit([commands]);
  await readback.arrive();
  return (performance.now() - start) / 1000;
}
