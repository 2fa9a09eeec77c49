// Measures a device with microbenchmarks: arithmetic, reading, barriers, dispatches.
import { calibrate_barrier } from '../../../shaders/gen/calibrate_barrier.ts';
import { calibrate_dispatch } from '../../../shaders/gen/calibrate_dispatch.ts';
import { calibrate_fma } from '../../../shaders/gen/calibrate_fma.ts';
import { calibrate_read } from '../../../shaders/gen/calibrate_read.ts';
import { GatewiseError } from '../../core/errors.ts';
import { dispatch, type Dispatch } from './dispatch.ts';
import type { Bandwidth, Calibration } from '../../plan/calibration.ts';
import { describeAdapter, isSoftware } from './device_info.ts';
import { createBindGroup, createUniforms } from './bindings.ts';
import { createStorage } from './buffers.ts';
import type { Pipelines } from './pipelines.ts';
import type { Staging } from './staging.ts';
import { secondsOf, series, type Repeat, type Stopwatch, type Timing } from './stopwatch.ts';

/** Constants of the kernels: invocations per workgroup, FLOP per invocation and round, barriers per round. */
const INVOCATIONS = 256;
const FLOP_A_ROUND = 2 * 8192;
const BARRIERS_A_ROUND = 8;

/** Workgroups that saturate the device. */
const GPU_GRID = 2048;
const SOFTWARE_GRID = 16;

const KIB = 1024;
const SIZES: readonly number[] = Array.from({ length: 7 }, (_, i) => 64 * KIB * 4 ** i);
const MOST_OF_ONE_WORKGROUP = 4 * KIB * KIB;
const MOST_OF_SOFTWARE = 16 * KIB * KIB;
/** The longest pass over a buffer, in seconds; larger buffers are skipped. */
const LONGEST_READ = 0.1;
const ROUNDS = 6;
/** Round trips per round. */
const ROUND_TRIPS = 5;

/** Rows of uniforms for 1, 2, 4, … rounds. */
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
    // At most 2^30 vec4s in total.
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
  const owned: GPUBuffer[] = [];
  const keep = (buffer: GPUBuffer): GPUBuffer => {
    owned.push(buffer);
    return buffer;
  };
  try {
    const out = keep(createStorage(device, grid * INVOCATIONS, 'calibration'));
    const data = keep(await createLargest(device, software ? MOST_OF_SOFTWARE : Infinity));
    const timings: Timing[] = [];
    const repeatOf = (launch: Dispatch): Repeat => {
      const { repeat, uniforms } = prepare(device, pipelines, launch, [out, data]);
      keep(uniforms);
      return repeat;
    };
    const method = await stopwatch.clockFor(repeatOf(arithmetic(grid)));
    const start = async (launch: Dispatch): Promise<Timing> => {
      const timing = await stopwatch.start(repeatOf(launch), method);
      timings.push(timing);
      return timing;
    };
    const startReading = async (workgroups: number, most: number): Promise<[number, Timing][]> => {
      const started: [number, Timing][] = [];
      for (const bytes of SIZES.filter((size) => size <= Math.min(most, data.size))) {
        const timing = await start(reading(bytes, workgroups));
        started.push([bytes, timing]);
        if (4 * fastest(timing) > LONGEST_READ) break;
      }
      return started;
    };
    const flop = await start(arithmetic(grid));
    const oneWorkgroupFlop = await start(arithmetic(1));
    const reads = await startReading(grid, Infinity);
    const oneWorkgroupReads = await startReading(1, MOST_OF_ONE_WORKGROUP);
    const dispatches = await start(nothing);
    const barrier = await start(barriers);
    const roundTrips: number[] = [];
    // Interleaves the measurements, so that a temporary slowdown affects all of them and not just one.
    for (let round = 0; round < ROUNDS; round++) {
      for (const timing of timings) await stopwatch.again(timing);
      roundTrips.push(...(await series(ROUND_TRIPS, () => roundTrip(device, staging, out))));
    }
    const flopOf = (workgroups: number, timing: Timing): number =>
      (workgroups * INVOCATIONS * FLOP_A_ROUND) / fastest(timing);
    const bandwidthOf = ([bytes, timing]: readonly [number, Timing]): Bandwidth => ({
      bytes,
      bytesPerSecond: bytes / fastest(timing),
    });
    return {
      device: describeAdapter(device),
      method,
      flopPerSecond: flopOf(grid, flop),
      oneWorkgroupFlopPerSecond: flopOf(1, oneWorkgroupFlop),
      bandwidth: reads.map(bandwidthOf),
      oneWorkgroupBandwidth: oneWorkgroupReads.map(bandwidthOf),
      dispatchSeconds: fastest(dispatches),
      barrierSeconds: fastest(barrier) / BARRIERS_A_ROUND,
      roundTripSeconds: Math.min(...roundTrips),
    };
  } finally {
    for (const buffer of owned) buffer.destroy();
  }
}

/** The minimum: other load on the machine only adds time, and the aim is the device's limit. */
function fastest(timing: Timing): number {
  return Math.min(...secondsOf(timing));
}

/** Binds a kernel to its buffers. Row i of its uniforms does the work 2^i times; beyond that, the last row is launched again. */
function prepare(
  device: GPUDevice,
  pipelines: Pipelines,
  launch: Dispatch,
  buffers: readonly GPUBuffer[],
): { readonly repeat: Repeat; readonly uniforms: GPUBuffer } {
  const { buffer: uniforms, offsets: all } = createUniforms(device, [launch]);
  const offsets = all.get(launch) ?? new Uint32Array(1);
  const pipeline = pipelines.for(launch);
  const group = createBindGroup(device, launch, pipeline, uniforms, (index) => buffers[index]);
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
    uniforms,
  };
}

/** A buffer of the largest size that the device can bind and allocate. */
async function createLargest(device: GPUDevice, most: number): Promise<GPUBuffer> {
  const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  const limit = Math.min(most, maxBufferSize, maxStorageBufferBindingSize);
  for (const bytes of SIZES.filter((size) => size <= limit).toReversed()) {
    device.pushErrorScope('out-of-memory');
    const buffer = createStorage(device, bytes / 4, 'calibration');
    if ((await device.popErrorScope()) === null) return buffer;
  }
  throw new GatewiseError('device', `calibrate: the device has no memory for ${SIZES[0]} bytes`);
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
