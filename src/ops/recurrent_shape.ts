// How many rows, units and sums over k an invocation and a workgroup of the recurrent kernels take.
import { chooseTile, type DeviceInfo as Target } from '../backend/webgpu/device_info.ts';

interface Tile {
  readonly rows: number;
  readonly units: number;
}

const tiles = (...list: readonly (readonly [rows: number, units: number])[]): readonly Tile[] =>
  list.map(([rows, units]) => ({ rows, units }));

/** What one invocation of a step owns, largest first: each weight that it loads serves all its rows, each state all its units. */
const SMALL_TILES = tiles([4, 4], [4, 2], [4, 1], [2, 4], [2, 2], [2, 1], [1, 4], [1, 2], [1, 1]);
const TILES_OF_MANY_PRODUCTS = [...tiles([16, 4], [8, 4], [16, 2], [8, 2], [8, 1]), ...SMALL_TILES];
const TILES_OF_ONE_PRODUCT = [...tiles([16, 8], [8, 8], [16, 4], [8, 4], [8, 2]), ...SMALL_TILES];

/** Sums that an invocation of a GPU has registers for, of some 255, beside what it loads. A CPU's spill to its nearest cache. */
const MOST_SUMS = 64;

/** The tile of a step. @param products of a unit. */
export function stepTile(
  target: Target,
  { products, width, batch, chains }: { products: number; width: number; batch: number; chains: number },
): Tile {
  const all = products > 1 ? TILES_OF_MANY_PRODUCTS : TILES_OF_ONE_PRODUCT;
  const fits = ({ rows, units }: Tile): boolean =>
    // A tile of more rows than there are would compute the last one again.
    rows < 2 * batch && (target.software || rows * units * products <= MOST_SUMS);
  // What has too many products for any tile takes a unit of a row.
  const fitting = all.filter(fits);
  return chooseTile(
    fitting.length > 0 ? fitting : all.slice(-1),
    target,
    ({ rows, units }) => chains * Math.ceil(batch / rows) * Math.ceil(width / units),
  );
}

/** Where weights are at each step: in storage memory, or for a whole launch in workgroup memory or in registers. */
export type Keeping = 'streamed' | 'shared' | 'held';

/** Of a workgroup: LANES invocations own units side by side, SLICES of them share each sum over k. */
export interface GroupShape {
  readonly lanes: number;
  readonly slices: number;
  readonly rows: number;
  readonly keeping: Keeping;
}

const powerBelow = (limit: number): number => 2 ** Math.floor(Math.log2(Math.max(1, limit)));
const powerAbove = (size: number): number => 2 ** Math.ceil(Math.log2(size));

/** Registers are too few for more invocations that hold a tile each. */
const MAX_INVOCATIONS = 512;
/** SwiftShader's compiler takes minutes and gigabytes for loops over more. */
const maxRows = ({ software }: Target): number => (software ? 4 : 8);
/** Workgroups under way at a time: a large GPU's cores. On fewer, a workgroup takes more rows. */
const coresOf = ({ software }: Target): number => (software ? 2 : 64);

/** As many slices as the workgroup and its memory have room for, each with some quads of k to sum. */
function slicesFor(target: Target, lanes: number, depth: number, words: number, quads: number = 4): number {
  const room = Math.min(target.workgroupSize, MAX_INVOCATIONS) / lanes;
  const memory = target.workgroupMemory / (4 * lanes * words);
  return powerBelow(Math.min(room, memory, depth / (4 * quads), 8));
}

export interface LoopSize {
  /** Units of the widest phase, products of a unit, and the longest sum over k. */
  readonly width: number;
  readonly products: number;
  readonly depth: number;
  readonly batch: number;
  readonly chains: number;
  /** Bytes of a chain's packed weights, and the words of them that are an invocation's own, of so many slices. */
  readonly bytes: number;
  readonly share: (slices: number) => number;
}

/** Of a launch of many steps: a workgroup has all units of its rows. */
export function sequenceShape(
  target: Target,
  { width, products, depth, batch, chains }: LoopSize,
): GroupShape {
  const limit = powerBelow(Math.min(target.workgroupSize, MAX_INVOCATIONS));
  // A software adapter switches between the invocations at each barrier: it wants few.
  const lanes = Math.min(target.software ? 16 : limit, powerAbove(width));
  const rows = powerBelow(Math.min(maxRows(target), Math.ceil((batch * chains) / coresOf(target))));
  const slices = target.software ? 1 : slicesFor(target, lanes, depth, rows * products);
  return { lanes, slices, rows, keeping: 'streamed' };
}

/** What each variable in workgroup memory takes a multiple of. */
const MEMORY_GRAIN = 16;

/** The same, of which workgroup memory holds the weights, if it has room for them beside the slices’ sums. */
export function sharedShape(target: Target, size: LoopSize): GroupShape | undefined {
  const workgroupMemory = target.workgroupMemory - MEMORY_GRAIN * Math.ceil(size.bytes / MEMORY_GRAIN);
  if (size.bytes === 0 || workgroupMemory < MEMORY_GRAIN) return undefined;
  return { ...sequenceShape({ ...target, workgroupMemory }, size), keeping: 'shared' };
}

/**
 * Words of weights that an invocation holds: half of the 128 registers that each of 512 has on a GPU's core. The rest is
 * for sums, vectors and the update; with more a compiler would put weights back into memory and read them at each step.
 */
const MOST_HELD = 64;

/** The same, of which each invocation holds the weights that it multiplies by, in as few slices as make them few enough. */
export function heldShape(target: Target, size: LoopSize): GroupShape | undefined {
  const { width, products, depth, bytes, share } = size;
  const shape = sequenceShape(target, size);
  const { lanes, rows } = shape;
  if (bytes === 0 || width > lanes) return undefined;
  const most = slicesFor(target, lanes, depth, rows * products, 1);
  for (let { slices } = shape; slices <= most; slices *= 2)
    if (share(slices) <= MOST_HELD) return { ...shape, slices, keeping: 'held' };
  return undefined;
}

/** Of a launch of one step with few rows: as many workgroups as the units make. */
export function slicedShape(target: Target, { width, products, depth, batch }: LoopSize): GroupShape {
  const rows = powerAbove(Math.min(batch, 4));
  const lanes = Math.min(target.software ? 4 : 16, powerAbove(width));
  return { lanes, rows, slices: slicesFor(target, lanes, depth, rows * products), keeping: 'streamed' };
}

/** FLOP of a workgroup in one launch: well below the time after which systems reset a GPU, on slow ones too. */
const FLOP_PER_LAUNCH = 5e8;

/** Steps of a launch, at least one. @param flop of a step for one row of one chain. */
export function stepsPerLaunch(steps: number, flop: number, { rows }: GroupShape): number {
  return Math.max(1, Math.min(steps, Math.floor(FLOP_PER_LAUNCH / Math.max(1, flop * rows))));
}

/** Bytes of weights that one workgroup reads again in about the time that a launch takes. */
const STREAMED_BYTES = 512 * 1024;

/** Whether reading all weights again at each step is cheaper for one workgroup than a launch for each step. */
export const streamsWell = (bytes: number): boolean => bytes <= STREAMED_BYTES;
