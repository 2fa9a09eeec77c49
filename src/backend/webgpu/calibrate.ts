// Calibrates a device with microbenchmarks: one kernel each for arithmetic, memory reads, barriers and dispatches.
import { calibrate_barrier } from '../../../shaders/gen/calibrate_barrier.ts';
import { calibrate_dispatch } from '../../../shaders/gen/calibrate_dispatch.ts';
import { calibrate_fma } from '../../../shaders/gen/calibrate_fma.ts';
import { calibrate_read } from '../../../shaders/gen/calibrate_read.ts';
import { GatewiseError } from '../../core/errors.ts';
import { dispatch, type Dispatch } from './dispatch.ts';
import type { Bandwidth, Calibration } from '../../plan/calibration.ts';
import { describeAdapter, isSoftware } from './device_info.ts';
import { createBindGroup, createLaunches } from './bindings.ts';
import { createStorage, type WebGPUBuffer } from './buffers.ts';
import type { Pipelines } from './pipelines.ts';
import type { Staging } from './staging.ts';
import { minSeconds, series, type DeviceTimer, type Measurement, type Repeat } from './timing.ts';

/** Constants of shaders/calibrate_*.wgsl: the workgroup size, the FLOP of an invocation per round, the barriers per round. */
const WORKGROUP = 256;
const FLOP_PER_ROUND = 2 * 8192;
const BARRIERS_PER_ROUND = 8;

/** Workgroups that saturate the device. */
const GPU_GRID = 2048;
const SOFTWARE_GRID = 16;

const KIB = 1024;
/** Buffer sizes of the reads: 64 KiB to 256 MiB. */
const SIZES: readonly number[] = Array.from({ length: 7 }, (_, i) => 64 * KIB * 4 ** i);
const ONE_WORKGROUP_MAX_BYTES = 4 * KIB * KIB;
const SOFTWARE_MAX_BYTES = 16 * KIB * KIB;
/** The longest expected time to read a buffer once, in seconds; larger buffers are skipped. */
const MAX_READ_SECONDS = 0.1;
const ROUNDS = 6;
const ROUND_TRIPS_PER_ROUND = 5;

/** Rows of uniforms with 1, 2, 4, … rounds of work. */
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
const emptyDispatch = dispatch(calibrate_dispatch, {
  bindings: { out: OUT },
  uniforms: { summand: 1 },
  workgroups: [1, 1, 1],
});

function reading(bytes: number, grid: number): Dispatch {
  const size = bytes / 16;
  return dispatch(calibrate_read, {
    bindings: { data: DATA, out: OUT },
    // At most 2^30 vec4s are read in one launch.
    uniforms: doublings(31 - Math.log2(size), { size }),
    workgroups: [grid, 1, 1],
  });
}

/** Measures a device that does nothing else meanwhile. @throws GatewiseError `device` if it has too little free memory. */
export async function calibrate(
  device: GPUDevice,
  pipelines: Pipelines,
  staging: Staging,
  timer: DeviceTimer,
): Promise<Calibration> {
  const software = isSoftware(device);
  const grid = software ? SOFTWARE_GRID : GPU_GRID;
  const owned: { destroy(): void }[] = [];
  try {
    const out = createStorage(device, grid * WORKGROUP, 'calibration');
    owned.push(out);
    const data = await createLargest(device, software ? SOFTWARE_MAX_BYTES : Infinity);
    owned.push(data);
    const memory = [out, data];
    /** Makes a kernel repeatable: row i of its uniforms repeats its work 2^i times; more repeats take several launches. */
    const repeatOf = async (kernel: Dispatch): Promise<Repeat> => {
      const { launches, uniforms } = createLaunches(device, pipelines, [kernel]);
      owned.push(uniforms);
      const [{ rows, pipeline }] = launches;
      await pipeline.compiling;
      const group = createBindGroup(device, launches[0], uniforms, (index) => memory[index]);
      return (pass, times) => {
        if (times === 0) return;
        const row = Math.min(Math.log2(times), rows.length - 1);
        pass.setPipeline(pipeline.compiled);
        for (let done = 0; done < times; done += 2 ** row) {
          pass.setBindGroup(0, group, rows, row, 1);
          pass.dispatchWorkgroups(...kernel.workgroups);
        }
      };
    };
    const method = await timer.chooseClock(await repeatOf(arithmetic(grid)));
    const measurements: Measurement[] = [];
    const start = async (kernel: Dispatch): Promise<Measurement> => {
      const measurement = await timer.start(await repeatOf(kernel), method);
      measurements.push(measurement);
      return measurement;
    };
    const startReads = async (workgroups: number, maxBytes: number): Promise<[number, Measurement][]> => {
      const reads: [number, Measurement][] = [];
      for (const bytes of SIZES.filter((size) => size <= Math.min(maxBytes, data.size))) {
        const measurement = await start(reading(bytes, workgroups));
        reads.push([bytes, measurement]);
        if (4 * minSeconds(measurement) > MAX_READ_SECONDS) break;
      }
      return reads;
    };
    const flop = await start(arithmetic(grid));
    const oneWorkgroupFlop = await start(arithmetic(1));
    const reads = await startReads(grid, Infinity);
    const oneWorkgroupReads = await startReads(1, ONE_WORKGROUP_MAX_BYTES);
    const dispatches = await start(emptyDispatch);
    const barrier = await start(barriers);
    const roundTrips: number[] = [];
    // Interleaved samples: a period of other load or of a slow device clock does not cover all samples of one kernel.
    for (let round = 0; round < ROUNDS; round++) {
      for (const measurement of measurements) await timer.addSample(measurement);
      roundTrips.push(...(await series(ROUND_TRIPS_PER_ROUND, () => roundTrip(device, staging, out))));
    }
    const flopOf = (workgroups: number, measurement: Measurement): number =>
      (workgroups * WORKGROUP * FLOP_PER_ROUND) / minSeconds(measurement);
    const bandwidthOf = ([bytes, measurement]: readonly [number, Measurement]): Bandwidth => ({
      bytes,
      bytesPerSecond: bytes / minSeconds(measurement),
    });
    return {
      device: describeAdapter(device),
      method,
      flopPerSecond: flopOf(grid, flop),
      oneWorkgroupFlopPerSecond: flopOf(1, oneWorkgroupFlop),
      bandwidth: reads.map(bandwidthOf),
      oneWorkgroupBandwidth: oneWorkgroupReads.map(bandwidthOf),
      dispatchSeconds: minSeconds(dispatches),
      barrierSeconds: minSeconds(barrier) / BARRIERS_PER_ROUND,
      roundTripSeconds: Math.min(...roundTrips),
    };
  } finally {
    for (const buffer of owned) buffer.destroy();
  }
}

/** A buffer of the largest of SIZES, up to `maxBytes`, that the device can bind and has memory for. */
async function createLargest(device: GPUDevice, maxBytes: number): Promise<WebGPUBuffer> {
  const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
  const limit = Math.min(maxBytes, maxBufferSize, maxStorageBufferBindingSize);
  for (const bytes of SIZES.filter((size) => size <= limit).toReversed()) {
    device.pushErrorScope('out-of-memory');
    const buffer = createStorage(device, bytes / 4, 'calibration');
    if ((await device.popErrorScope()) === null) return buffer;
  }
  throw new GatewiseError('device', `calibrate: the device has no memory for ${SIZES[0]} bytes`);
}

/** Seconds from a submit to 4 bytes on the host. */
async function roundTrip(device: GPUDevice, staging: Staging, source: WebGPUBuffer): Promise<number> {
  const encoder = device.createCommandEncoder({ label: 'gatewise calibration' });
  const readback = staging.copy(encoder, source, 0, 1, 'f32');
  const commands = encoder.finish();
  const start = performance.now();
  device.queue.submit([commands]);
  await readback.read();
  return (performance.now() - start) / 1000;
}
