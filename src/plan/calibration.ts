// What an adapter can do, as measured, and the least time that a piece of work can take on it.
/** What `runtime.calibrate()` measured: plain data, which JSON keeps. Each time is that of one unit of work among many. */
export interface Calibration {
  /** The adapter's name. */
  readonly device: string;
  /** What told the time: the device's timestamps where it has ones that the wall clock confirms, else the wall clock. */
  readonly method: 'timestamps' | 'slopes';
  /** Of float32 multiply-adds in registers on the whole device; one is 2 FLOP. */
  readonly flopPerSecond: number;
  /** The same of one workgroup of 256 invocations. */
  readonly oneWorkgroupFlopPerSecond: number;
  /** Reading a buffer of so many bytes again and again, by rising size: small ones come from a cache. */
  readonly bandwidth: readonly Bandwidth[];
  /** The same of one workgroup of 256 invocations, up to 4 MiB. */
  readonly oneWorkgroupBandwidth: readonly Bandwidth[];
  /** One more dispatch in a pass, of one workgroup that needs what the dispatch before wrote. */
  readonly dispatchSeconds: number;
  /** A barrier of a workgroup of 256 invocations, with the word of workgroup memory that each passes on through it. */
  readonly barrierSeconds: number;
  /** From a submit to 4 bytes of its results on the host, with nothing else to do: the least, by the wall clock. */
  readonly roundTripSeconds: number;
}

export interface Bandwidth {
  /** Size of the buffer. */
  readonly bytes: number;
  readonly bytesPerSecond: number;
}

/** A piece of work. */
export interface Work {
  /** Kernel launches, each after the other. */
  readonly dispatches: number;
  readonly flop: number;
  /** Read and written, each tensor once. */
  readonly bytes: number;
}

/** What keeps a piece of work from being faster. */
export type Bound = 'dispatch' | 'compute' | 'bandwidth';

export interface Floor {
  readonly seconds: number;
  readonly bound: Bound;
}

/** Bytes per second of work on so many bytes: straight lines over log(bytes) between what was measured, level beyond. */
export function bandwidthFor({ bandwidth }: Pick<Calibration, 'bandwidth'>, bytes: number): number {
  const above = bandwidth.findIndex((entry) => entry.bytes >= bytes);
  if (above <= 0) return bandwidth[above === 0 ? 0 : bandwidth.length - 1].bytesPerSecond;
  const [low, high] = [bandwidth[above - 1], bandwidth[above]];
  const part = Math.log(bytes / low.bytes) / Math.log(high.bytes / low.bytes);
  return low.bytesPerSecond + part * (high.bytesPerSecond - low.bytesPerSecond);
}

/** The least time for a piece of work on such a device: the longest of its dispatches, its arithmetic and its traffic. */
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
