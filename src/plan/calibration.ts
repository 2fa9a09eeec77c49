// The measured limits of an adapter, and the least time (floor) that work takes on it.
/** What `runtime.calibrate()` measured: plain data, which JSON keeps. Each time is that of one unit of work among many. */
export interface Calibration {
  /** The adapter's name. */
  readonly device: string;
  /** The clock: device timestamps if the wall clock confirms them, otherwise the wall clock. */
  readonly method: 'timestamps' | 'slopes';
  /** Rate of float32 multiply-adds in registers on the whole device; one is 2 FLOP. */
  readonly flopPerSecond: number;
  /** The same for one workgroup of 256 invocations. */
  readonly oneWorkgroupFlopPerSecond: number;
  /** Bandwidth of repeated reads of a buffer, by ascending buffer size: small buffers come from a cache. */
  readonly bandwidth: readonly Bandwidth[];
  /** The same for one workgroup of 256 invocations, up to 4 MiB. */
  readonly oneWorkgroupBandwidth: readonly Bandwidth[];
  /** Seconds per additional dispatch in a pass: one workgroup that depends on the dispatch before it. */
  readonly dispatchSeconds: number;
  /** Seconds per barrier of a workgroup of 256 invocations, including one word exchanged through workgroup memory each. */
  readonly barrierSeconds: number;
  /** The least wall-clock seconds from a submit to 4 bytes of its results on the host, on an idle device. */
  readonly roundTripSeconds: number;
}

export interface Bandwidth {
  /** Size of the buffer. */
  readonly bytes: number;
  readonly bytesPerSecond: number;
}

/** A piece of work. */
export interface Work {
  /** Kernel launches, run in sequence. */
  readonly dispatches: number;
  readonly flop: number;
  /** Bytes read and written, each tensor once. */
  readonly bytes: number;
}

/** The resource that limits a piece of work. */
export type Bound = 'dispatch' | 'compute' | 'bandwidth';

export interface Floor {
  readonly seconds: number;
  readonly bound: Bound;
}

/** Bandwidth for a given number of bytes: linear in log(bytes) between measurements, constant outside them. */
export function bandwidthFor({ bandwidth }: Pick<Calibration, 'bandwidth'>, bytes: number): number {
  const above = bandwidth.findIndex((entry) => entry.bytes >= bytes);
  if (above <= 0) return bandwidth[above === 0 ? 0 : bandwidth.length - 1].bytesPerSecond;
  const [low, high] = [bandwidth[above - 1], bandwidth[above]];
  const part = Math.log(bytes / low.bytes) / Math.log(high.bytes / low.bytes);
  return low.bytesPerSecond + part * (high.bytesPerSecond - low.bytesPerSecond);
}

/** The floor of a piece of work: the maximum of its dispatch time, arithmetic time and memory time. */
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
