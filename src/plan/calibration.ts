// A roofline model: the measured throughput and latencies of an adapter, and the lower bound that they set on the time of a
// piece of work (Williams et al., "Roofline", 2009).

/** What `runtime.calibrate()` measured, as plain data that JSON preserves. Each time is the average over many repeats. */
export interface Calibration {
  /** The adapter's name. */
  readonly device: string;
  /** The clock: `timestamps` of the device if they agree with the wall clock, else `slopes` of the wall clock over repeats. */
  readonly method: 'timestamps' | 'slopes';
  /** Float32 multiply-adds in registers on the whole device; one is 2 FLOP. */
  readonly flopPerSecond: number;
  /** The same for a single workgroup of 256 invocations. */
  readonly oneWorkgroupFlopPerSecond: number;
  /** Repeated reads of one buffer, by rising size of the buffer: small buffers stay in a cache. */
  readonly bandwidth: readonly Bandwidth[];
  /** The same for a single workgroup of 256 invocations, up to 4 MiB. */
  readonly oneWorkgroupBandwidth: readonly Bandwidth[];
  /** One more dispatch in a pass, of one workgroup that reads what the previous dispatch wrote. */
  readonly dispatchSeconds: number;
  /** A barrier of a workgroup of 256 invocations, in which each passes one word on through workgroup memory. */
  readonly barrierSeconds: number;
  /** From a submit to 4 bytes of its result on the host of an idle device: the minimum, by the wall clock. */
  readonly roundTripSeconds: number;
}

/** The bandwidth of reads from a buffer of `bytes`. */
export interface Bandwidth {
  readonly bytes: number;
  readonly bytesPerSecond: number;
}

/** The cost of a piece of work. */
export interface Work {
  /** Kernel launches, one after the other. */
  readonly dispatches: number;
  readonly flop: number;
  /** Bytes read and written, each tensor once. */
  readonly bytes: number;
}

/** The resource that limits a piece of work. */
export type Bound = 'dispatch' | 'compute' | 'bandwidth';

/** The lower bound on the time of a piece of work, and the resource that sets it. */
export interface Floor {
  readonly seconds: number;
  readonly bound: Bound;
}

/** Bytes per second for a working set of `bytes`: linear in log(bytes) between the measured sizes, constant outside them. */
export function bandwidthFor({ bandwidth }: Pick<Calibration, 'bandwidth'>, bytes: number): number {
  const above = bandwidth.findIndex((entry) => entry.bytes >= bytes);
  if (above <= 0) return bandwidth[above === 0 ? 0 : bandwidth.length - 1].bytesPerSecond;
  const [low, high] = [bandwidth[above - 1], bandwidth[above]];
  const fraction = Math.log(bytes / low.bytes) / Math.log(high.bytes / low.bytes);
  return low.bytesPerSecond + fraction * (high.bytesPerSecond - low.bytesPerSecond);
}

/** The floor of a piece of work: the largest of the times for its dispatches, its arithmetic and its memory traffic alone. */
export function floorSeconds(
  { dispatches, flop, bytes }: Work,
  calibration: Pick<Calibration, 'dispatchSeconds' | 'flopPerSecond' | 'bandwidth'>,
): Floor {
  const floors: readonly Floor[] = [
    { bound: 'dispatch', seconds: dispatches * calibration.dispatchSeconds },
    { bound: 'compute', seconds: flop / calibration.flopPerSecond },
    { bound: 'bandwidth', seconds: bytes / bandwidthFor(calibration, bytes) },
  ];
  return floors.reduce((a, b) => (b.seconds > a.seconds ? b : a));
}
