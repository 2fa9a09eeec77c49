// The variants of matmul on WebGPU, their launches, and the rule that picks the default for a device and a problem size.
import { matmul } from '../../../../shaders/gen/matmul.ts';
import { matmul_skinny } from '../../../../shaders/gen/matmul_skinny.ts';
import { matmul_subgroup } from '../../../../shaders/gen/matmul_subgroup.ts';
import { matmul_sum } from '../../../../shaders/gen/matmul_sum.ts';
import { matmul_tiled } from '../../../../shaders/gen/matmul_tiled.ts';
import type { MatmulAttrs } from '../../../ops/matmul.ts';
import type { Placed, Region } from '../../../plan/target.ts';
import { chooseTile, type DeviceInfo } from '../device_info.ts';
import { bindWhole, dispatch, type Dispatch } from '../dispatch.ts';
import { sizeClass, variantNames, type Variants } from './kernel.ts';
import { finalResults, partialResults, productOf, type Product, type Results } from './matmul_launch.ts';
import { WEIGHT_TEXT } from './weight_text.ts';
import { gridFor } from './wgsl_expression.ts';

/** Where a launch writes its results, and how it splits the sums over k. */
interface Goal {
  readonly results: Results;
  /** The number of splits of k, each with its own partial results; 1 without split-K. */
  readonly splits: number;
  /** The length of a split of k, a multiple of TILE_K. */
  readonly depth: number;
}

type MakeDispatch = (product: Product, goal: Goal, device: DeviceInfo) => Dispatch;

/** The results of one invocation, which stay in registers: rows × columns, in blocks of 4 × 4. */
interface RegisterTile {
  readonly rows: number;
  readonly columns: number;
}

const tiles = (...list: readonly (readonly [rows: number, columns: number])[]): readonly RegisterTile[] =>
  list.map(([rows, columns]) => ({ rows, columns }));
const REGISTER_TILES = tiles([16, 16], [16, 8], [8, 8], [8, 4], [4, 4]);
const SUBGROUP_TILES = tiles(
  [32, 16],
  [16, 16],
  [16, 8],
  [16, 4],
  [8, 16],
  [8, 8],
  [8, 4],
  [4, 16],
  [4, 8],
  [4, 4],
);

/** The counts of a kernel whose invocations own such a tile. */
const blocksOf = ({ rows, columns }: RegisterTile): { ROW_BLOCKS: number; COLUMN_BLOCKS: number } => ({
  ROW_BLOCKS: rows / 4,
  COLUMN_BLOCKS: columns / 4,
});

/** The cost of loading an element in multiply-adds, as on software adapters. GPUs run well with the same tiles. */
const LOAD_COST = 8;

/**
 * The tile with the least cost, including results past the edges and loads, among those whose invocations fill the device; if
 * none does, among those with the most invocations.
 * @param sharing The number of invocations that own adjacent tiles of a row and load `a` together.
 * @returns The tile, and the number of groups of `sharing` tiles.
 */
function bestTile(
  tiles: readonly RegisterTile[],
  { m, n }: Product,
  splits: number,
  device: DeviceInfo,
  sharing: number,
): RegisterTile & { readonly count: number } {
  const candidates = tiles.map(({ rows, columns }) => {
    const width = columns * sharing;
    const count = Math.ceil(m / rows) * Math.ceil(n / width);
    return { rows, columns, count, cost: count * (rows * width + LOAD_COST * (rows + width)) };
  });
  const filling = candidates.filter(({ count }) => count * sharing * splits >= device.parallelism);
  const maxCount = Math.max(...candidates.map(({ count }) => count));
  const allowed = filling.length > 0 ? filling : candidates.filter(({ count }) => count === maxCount);
  return allowed.reduce((best, other) => (other.cost < best.cost ? other : best));
}

/** The uniforms of `shaders/lib/matmul.wgsl`. */
const uniformsOf = ({ m, n, k, a, b }: Product, { results, depth }: Goal) => ({
  m,
  n,
  k,
  depth,
  a_strides: [a.view.strides[0], a.view.strides[1]] as const,
  b_strides: [b.view.strides[0], b.view.strides[1]] as const,
  a_offset: a.view.offset,
  b_offset: b.view.offset,
  operands: results.operands,
});

/**
 * The parts that the launches of all variants share. Each matrix is bound with the element type by which the kernel loads it.
 * @param loadA The WGSL of `load_a`. @param aLayout The layout of `a` as `load_a` reads it.
 */
const launchOf = (product: Product, goal: Goal, loadA: string, aLayout = product.aLayout) => {
  const { a, b, bLayout, precision } = product;
  const { bindings, unpacked } = WEIGHT_TEXT[precision];
  const isPacked = precision !== 'float32';
  const loadB = isPacked && bLayout === 'along_n' ? 'b_padded_along_n' : `b_${bLayout}`;
  return {
    bindings: {
      [aLayout === 'strided' ? 'a' : 'a4']: bindWhole(a),
      [bLayout === 'strided' ? 'b' : bindings.matmul]: bindWhole(b),
      ...goal.results.bindings,
    },
    splices: {
      ...goal.results.splices,
      ...(isPacked && {
        b_quad: `fn b_quad(at: u32) -> vec4f {\n  return ${unpacked(`${bindings.matmul}[at]`)};\n}`,
      }),
      load: `${loadA}\n\nfn load_b(k: u32, n: u32) -> mat4x4f {\n  return ${loadB}(k, n);\n}`,
    },
    uniforms: uniformsOf(product, goal),
  };
};

/** The rows of a block that exist, so that a result of fewer than 4 rows computes no others. */
const blockRowsOf = ({ m }: Product): number => Math.min(4, m);

const REGISTERS_WORKGROUP = 16;

/** Each invocation computes a register tile by itself. */
const registers: MakeDispatch = (product, goal, device) => {
  const best = bestTile(REGISTER_TILES, product, goal.splits, device, 1);
  const [x, y] = gridFor(best.count, REGISTERS_WORKGROUP);
  const loadA = `fn load_a(m: u32, k: u32, lane: u32) -> mat4x4f {\n  return a_${product.aLayout}(m, k);\n}`;
  return dispatch(matmul, {
    ...launchOf(product, goal, loadA),
    counts: { ...blocksOf(best), BLOCK_ROWS: blockRowsOf(product) },
    constants: { WORKGROUP: REGISTERS_WORKGROUP },
    workgroups: [x, y, goal.splits],
  });
};

const SUBGROUP_SIZE = 4;

/** As `registers`, but the four invocations of a subgroup each load a quarter of their common block of `a` and broadcast it. */
const subgroup: MakeDispatch = (product, goal, device) => {
  const best = bestTile(SUBGROUP_TILES, product, goal.splits, device, SUBGROUP_SIZE);
  // If `a` has one row, each invocation loads one element of it instead of one row of four.
  const layout = product.m === 1 ? 'one_row' : product.aLayout;
  const blockOfA = {
    one_row: 'row_of(a_element(m, k + lane))',
    along_k: 'all_of(a_row_along_k(m + lane, k))',
    along_m: 'transpose(all_of(a_column_along_m(m, k + lane)))',
    along_n: '',
    strided: 'all_of(a_row_strided(m + lane, k))',
  }[layout];
  const loadA = `fn load_a(m: u32, k: u32, lane: u32) -> mat4x4f {\n  return ${blockOfA};\n}`;
  const [x, y] = gridFor(best.count, 1);
  return dispatch(matmul_subgroup, {
    ...launchOf(product, goal, loadA, layout === 'one_row' ? 'strided' : layout),
    counts: { ...blocksOf(best), BLOCK_ROWS: blockRowsOf(product) },
    workgroups: [x, y, goal.splits],
  });
};

/** The results of a workgroup, a square grid of invocations with a square register tile each, sorted from large to small. */
const WORKGROUP_TILES = [
  { tile: 8, grid: 16 },
  { tile: 8, grid: 8 },
  { tile: 4, grid: 8 },
];
/** The length along k of the tiles of a and b in workgroup memory. */
const TILE_K = 16;

/** Each workgroup computes a tile from tiles of a and b in workgroup memory. */
const tiled: MakeDispatch = (product, goal, device) => {
  const { m, n, aLayout, bLayout } = product;
  const tiles = WORKGROUP_TILES.filter(
    ({ tile, grid }) =>
      grid * grid <= device.workgroupSize && 8 * TILE_K * tile * grid <= device.workgroupMemory,
  );
  const count = ({ tile, grid }: (typeof tiles)[number]): number =>
    Math.ceil(m / (tile * grid)) * Math.ceil(n / (tile * grid));
  const chosen = chooseTile(tiles, device, (one) => count(one) * one.grid ** 2 * goal.splits);
  const { tile, grid } = chosen;
  const quads = (tile * grid) / 4;
  const loadA = `fn load_a(m: u32, k: u32) -> mat4x4f {\n  return a_${aLayout}(m, k);\n}`;
  const [x, y] = gridFor(count(chosen), 1);
  return dispatch(matmul_tiled, {
    ...launchOf(product, goal, loadA),
    counts: {
      ...blocksOf({ rows: tile, columns: tile }),
      LOADS: Math.ceil((2 * quads * TILE_K) / 4 / grid ** 2),
    },
    constants: {
      GRID_ROWS: grid,
      GRID_COLUMNS: grid,
      WORKGROUP: grid ** 2,
      A_QUADS: quads,
      B_QUADS: quads,
      A_ALONG_K: aLayout === 'along_m' ? 0 : 1,
      B_ALONG_K: bLayout === 'along_n' ? 0 : 1,
    },
    workgroups: [x, y, goal.splits],
  });
};

/** The most rows of `skinny`. */
const MAX_SKINNY_ROWS = 8;

/** Each invocation computes all rows of 4 columns; several invocations of a workgroup share k. */
const skinny: MakeDispatch = (product, goal, device) => {
  const { m, n, k } = product;
  const isAlongN = product.bLayout === 'along_n';
  const workgroup = device.software ? 16 : m > 4 ? 128 : 256;
  // Along n, at most 8: the others read adjacent columns. Along k, up to 64 invocations read adjacent quads of one column.
  const maxShares = device.software ? 1 : isAlongN ? 8 : 64;
  const kShares = Math.min(maxShares, 2 ** Math.floor(Math.log2(Math.ceil(k / 4))));
  const [x, y] = gridFor(Math.ceil(n / 4), workgroup / kShares);
  // Four elements of a row of `a` are loaded as one vec4, or one by one.
  const aLayout = product.aLayout === 'along_k' ? 'along_k' : 'strided';
  const loadA = `fn load_a(m: u32, k: u32) -> vec4f {\n  return a_row_${aLayout}(m, k);\n}`;
  return dispatch(matmul_skinny, {
    ...launchOf(product, goal, loadA, aLayout),
    counts: { ROWS: m, TREE_LEVELS: Math.log2(kShares) },
    constants: { WORKGROUP: workgroup, K_SHARES: kShares, ALONG_N: isAlongN ? 1 : 0 },
    workgroups: [x, y, 1],
  });
};

/** The default variant is chosen by the number of tiles of this many rows and columns. */
const HEURISTIC_TILE = 64;
/** The least length of a split of k. */
const MIN_SPLIT = 128;
/** The most elements of the partial sums of all splits. */
const MAX_PARTIAL_SUMS = 2 ** 20;
/** The number of tiles that fills a GPU, and the number that fills the few cores of a software adapter. */
const GPU_TILES = 512;
const SOFTWARE_TILES = 8;
/** With fewer tiles than this, a GPU of a hundred cores is faster with split-K, in spite of its second pass. */
const MIN_TILES_WITHOUT_SPLIT = 128;

const tilesOf = ({ m, n }: Pick<Product, 'm' | 'n'>): number =>
  Math.ceil(m / HEURISTIC_TILE) * Math.ceil(n / HEURISTIC_TILE);

/**
 * The number of splits of k with which a small result fills a device; 1 if split-K does not pay.
 * @param tiles The number of tiles that fills the device.
 */
export function splitsFor(sizes: Pick<Product, 'm' | 'n' | 'k'>, tiles = GPU_TILES): number {
  const { m, n, k } = sizes;
  return Math.max(
    1,
    Math.min(
      Math.ceil(tiles / tilesOf(sizes)),
      Math.floor(k / MIN_SPLIT),
      Math.floor(MAX_PARTIAL_SUMS / (m * n)),
    ),
  );
}

const splitsOn = (product: Product, { software }: DeviceInfo): number =>
  splitsFor(product, software ? SOFTWARE_TILES : GPU_TILES);

/** Whether a result is large enough for tiles in workgroup memory. */
const isLarge = ({ m, n }: Product): boolean => m >= 32 && n >= 32;

/** One launch writes a partial sum for each split of k to scratch memory, a second one adds them and applies the epilogue. */
function splitK(product: Product, results: Results, scratch: Region, device: DeviceInfo): Dispatch[] {
  const { m, n, k } = product;
  const depth = TILE_K * Math.ceil(k / splitsOn(product, device) / TILE_K);
  const splits = Math.ceil(k / depth);
  const hasSubgroups = device.subgroupSize === SUBGROUP_SIZE;
  const makePartial = hasSubgroups ? subgroup : !device.software && isLarge(product) ? tiled : registers;
  return [
    makePartial(product, { results: partialResults(scratch, product, splits), splits, depth }, device),
    dispatch(matmul_sum, {
      bindings: { a: bindWhole(scratch), ...results.bindings },
      splices: results.splices,
      uniforms: uniformsOf(product, { results, splits, depth }),
      constants: { WORKGROUP: 64 },
      workgroups: gridFor(m * n, 64),
    }),
  ];
}

const SINGLE_LAUNCH = { registers, subgroup, tiled, skinny } as const;
export type MatmulVariant = keyof typeof SINGLE_LAUNCH | 'split_k';

/** The variants for a step on a device, the default first. */
export function matmulVariants(placed: Placed<MatmulAttrs>, device: DeviceInfo): Variants {
  const product = productOf(placed);
  const { m, n, k, aLayout, bLayout, precision } = product;
  const isPossible: Record<MatmulVariant, boolean> = {
    registers: true,
    subgroup: device.subgroupSize === SUBGROUP_SIZE,
    tiled: !device.software && isLarge(product),
    split_k: splitsOn(product, device) > 1,
    skinny: m <= MAX_SKINNY_ROWS,
  };
  // For software adapters as measured on SwiftShader (bench/NOTES.md), for GPUs as in the literature.
  const preferred = ((): MatmulVariant => {
    if (isPossible.subgroup) return 'subgroup';
    if (m <= (device.software ? 2 : MAX_SKINNY_ROWS)) return 'skinny';
    if (device.software) return 'registers';
    if (isPossible.split_k && tilesOf(product) < MIN_TILES_WITHOUT_SPLIT) return 'split_k';
    return isPossible.tiled ? 'tiled' : 'registers';
  })();
  const short = (layout: string): string => (layout === 'strided' ? '-' : layout.slice('along_'.length));
  const layouts = `${short(aLayout)}${short(bLayout)}`;
  return {
    names: variantNames(preferred, isPossible),
    kind: `${sizeClass(m, k, n)}:${layouts}${precision === 'float32' ? '' : `:${precision}`}`,
  };
}

/** The launches of a step. @param variant The device's default unless given. */
export function matmulDispatches(
  placed: Placed<MatmulAttrs>,
  device: DeviceInfo,
  variant?: string,
): Dispatch[] {
  const product = productOf(placed);
  const results = finalResults(placed);
  const name = (variant ?? matmulVariants(placed, device).names[0]) as MatmulVariant;
  if (name === 'split_k') return splitK(product, results, placed.scratch[0], device);
  const depth = TILE_K * Math.ceil(product.k / TILE_K);
  return [SINGLE_LAUNCH[name](product, { results, splits: 1, depth }, device)];
}
