// The launch geometry of the recurrent kernels: rows, units and splits of k per invocation and per workgroup, and the steps of a
// launch.
import { chooseTile, type DeviceInfo } from '../../device_info.ts';

interface Tile {
  readonly rows: number;
  readonly units: number;
}

const tiles = (...list: readonly (readonly [rows: number, units: number])[]): readonly Tile[] =>
  list.map(([rows, units]) => ({ rows, units }));

/** Tiles of one invocation, largest first: all rows of the tile reuse a loaded weight, and all its units a loaded state. */
const SMALL_TILES = tiles([4, 4], [4, 2], [4, 1], [2, 4], [2, 2], [2, 1], [1, 4], [1, 2], [1, 1]);
const TILES_OF_MANY_PRODUCTS = [...tiles([16, 4], [8, 4], [16, 2], [8, 2], [8, 1]), ...SMALL_TILES];
const TILES_OF_ONE_PRODUCT = [...tiles([16, 8], [8, 8], [16, 4], [8, 4], [8, 2]), ...SMALL_TILES];

/** Accumulators per invocation on a GPU: 255 registers minus those of loads and the update. A CPU spills to its L1 cache. */
const MOST_SUMS = 64;

/** The tile of a step. @param size.products Products per unit. @param size.width Units of the phase. */
export function stepTile(
  device: DeviceInfo,
  { products, width, batch, pseudoLayers }: Pick<LoopSize, 'products' | 'width' | 'batch' | 'pseudoLayers'>,
): Tile {
  const all = products > 1 ? TILES_OF_MANY_PRODUCTS : TILES_OF_ONE_PRODUCT;
  const fits = ({ rows, units }: Tile): boolean =>
    // A tile with more rows than the batch would compute the last row twice.
    rows < 2 * batch && (device.software || rows * units * products <= MOST_SUMS);
  const fitting = all.filter(fits);
  // If no tile fits the register budget: 1 row × 1 unit.
  return chooseTile(
    fitting.length > 0 ? fitting : all.slice(-1),
    device,
    ({ rows, units }) => pseudoLayers * Math.ceil(batch / rows) * Math.ceil(width / units),
  );
}

/** Where weights reside during a launch: in storage memory, or loaded once into workgroup memory or registers. */
export type Residence = 'streamed' | 'workgroup' | 'registers';

/** A workgroup: `lanes` invocations own adjacent units, and `splits` invocations share each sum over k. */
export interface GroupGeometry {
  readonly lanes: number;
  readonly splits: number;
  readonly rows: number;
  readonly residence: Residence;
}

const powerBelow = (limit: number): number => 2 ** Math.floor(Math.log2(Math.max(1, limit)));
const powerAbove = (size: number): number => 2 ** Math.ceil(Math.log2(size));

/** The most invocations of a workgroup: a GPU lacks registers for the tiles of more. */
const MAX_INVOCATIONS = 512;

/** The most rows of a workgroup: SwiftShader takes minutes to compile loops over more rows. */
const maxRows = ({ software }: DeviceInfo): number => (software ? 4 : 8);

/** Workgroups in flight: the cores of a large GPU. If there are more rows, each workgroup takes several. */
const coresOf = ({ software }: DeviceInfo): number => (software ? 2 : 64);

/** The most splits that the workgroup and its memory allow, with at least `quads` quads of k each. */
function splitsFor(
  device: DeviceInfo,
  lanes: number,
  depth: number,
  words: number,
  quads: number = 4,
): number {
  const room = Math.min(device.workgroupSize, MAX_INVOCATIONS) / lanes;
  const memory = device.workgroupMemory / (4 * lanes * words);
  return powerBelow(Math.min(room, memory, depth / (4 * quads), 8));
}

export interface LoopSize {
  /** Units of the widest phase, products per unit, and the length of the longest sum over k. */
  readonly width: number;
  readonly products: number;
  readonly depth: number;
  readonly batch: number;
  readonly pseudoLayers: number;
  /** Bytes of one pseudo-layer's packed weights, and words of them per invocation as a function of splits. */
  readonly bytes: number;
  readonly wordsPerInvocation: (splits: number) => number;
}

/** A persistent launch that streams weights: a workgroup owns all units of its rows. */
export function streamedGeometry(
  device: DeviceInfo,
  { width, products, depth, batch, pseudoLayers }: LoopSize,
): GroupGeometry {
  const limit = powerBelow(Math.min(device.workgroupSize, MAX_INVOCATIONS));
  // A software adapter switches between a workgroup's invocations at each barrier, so fewer invocations are faster.
  const lanes = Math.min(device.software ? 16 : limit, powerAbove(width));
  const rows = powerBelow(Math.min(maxRows(device), Math.ceil((batch * pseudoLayers) / coresOf(device))));
  const splits = device.software ? 1 : splitsFor(device, lanes, depth, rows * products);
  return { lanes, splits, rows, residence: 'streamed' };
}

/** The alignment of a variable in workgroup memory, in bytes. */
const WORKGROUP_ALIGNMENT = 16;

/** A persistent launch with the weights in workgroup memory; undefined if they do not fit beside the partial sums. */
export function workgroupGeometry(device: DeviceInfo, size: LoopSize): GroupGeometry | undefined {
  const weights = WORKGROUP_ALIGNMENT * Math.ceil(size.bytes / WORKGROUP_ALIGNMENT);
  const workgroupMemory = device.workgroupMemory - weights;
  if (size.bytes === 0 || workgroupMemory < WORKGROUP_ALIGNMENT) return undefined;
  return { ...streamedGeometry({ ...device, workgroupMemory }, size), residence: 'workgroup' };
}

/**
 * The most words of weights in an invocation's registers: half of the 128 registers that each of 512 invocations has on a GPU
 * core. Sums, vectors and the update need the rest; beyond that a compiler spills weights and reloads them at each step.
 */
const MOST_REGISTERS = 64;

/** A persistent launch with the weights in registers; undefined if an invocation's part is too large for every split. */
export function registersGeometry(device: DeviceInfo, size: LoopSize): GroupGeometry | undefined {
  const { width, products, depth, bytes, wordsPerInvocation } = size;
  const geometry = streamedGeometry(device, size);
  const { lanes, rows } = geometry;
  if (bytes === 0 || width > lanes) return undefined;
  const most = splitsFor(device, lanes, depth, rows * products, 1);
  for (let { splits } = geometry; splits <= most; splits *= 2)
    if (wordsPerInvocation(splits) <= MOST_REGISTERS) return { ...geometry, splits, residence: 'registers' };
  return undefined;
}

/** A launch of one step for few rows: splits each sum over k and distributes the units over workgroups. */
export function splitGeometry(
  device: DeviceInfo,
  { width, products, depth, batch }: LoopSize,
): GroupGeometry {
  const rows = powerAbove(Math.min(batch, 4));
  const lanes = Math.min(device.software ? 4 : 16, powerAbove(width));
  return { lanes, rows, splits: splitsFor(device, lanes, depth, rows * products), residence: 'streamed' };
}

/** A launch is capped at this many FLOP per workgroup so that no driver watchdog fires, on slow devices either. */
const FLOP_PER_LAUNCH = 5e8;

/** Steps per launch, at least one. @param flop FLOP per step, row and pseudo-layer. */
export function stepsPerLaunch(steps: number, flop: number, { rows }: GroupGeometry): number {
  return Math.max(1, Math.min(steps, Math.floor(FLOP_PER_LAUNCH / Math.max(1, flop * rows))));
}

/** Bytes of weights that one workgroup reads in about the duration of a launch. */
const STREAMED_BYTES = 512 * 1024;

/** Whether one workgroup streams all weights per step faster than a launch per step takes. */
export const streamsWell = (bytes: number): boolean => bytes <= STREAMED_BYTES;
