// The variants of matmul on WebGPU, their launches, and the rule that picks the default for a device and a problem size.
import { matmul } from '../../../../shaders/gen/matmul.ts';
import { matmul_skinny } from '../../../../shaders/gen/matmul_skinny.ts';
import { matmul_subgroup } from '../../../../shaders/gen/matmul_subgroup.ts';
import { matmul_sum } from '../../../../shaders/gen/matmul_sum.ts';
import { matmul_tiled } from '../../../../shaders/gen/matmul_tiled.ts';
import { chooseTile, type DeviceInfo } from '../device_info.ts';
import { bindWhole, dispatch, type Dispatch } from '../dispatch.ts';
import { sizeClass, type Variants } from './kernel.ts';
import {
  finalResults,
  partialResults,
  problemOf,
  type MatmulProblem,
  type MatmulStep,
  type Results,
} from './matmul_launch.ts';
import { gridFor } from './wgsl_expression.ts';

/** Where a launch writes its results, and how it splits the sums over k. */
interface Goal {
  readonly results: Results;
  /** The number of splits of k, each with its own partial results; 1 without split-K. */
  readonly splits: number;
  /** The length of a split of k, a multiple of TILE_K. */
  readonly depth: number;
}

type MakeDispatch = (step: MatmulStep, problem: MatmulProblem, goal: Goal, device: DeviceInfo) => Dispatch;

/** The results of one invocation, which stay in registers: rows × columns, in blocks of 4 × 4. */
interface RegisterTile {
  readonly rows: number;
  readonly columns: number;
}

const tile = (rows: number, columns: number): RegisterTile => ({ rows, columns });
const REGISTER_TILES: readonly RegisterTile[] = [
  tile(16, 16),
  tile(16, 8),
  tile(8, 8),
  tile(8, 4),
  tile(4, 4),
];
const SUBGROUP_TILES: readonly RegisterTile[] = [
  tile(32, 16),
  tile(16, 16),
  tile(16, 8),
  tile(16, 4),
  tile(8, 16),
  tile(8, 8),
  tile(8, 4),
  tile(4, 16),
  tile(4, 8),
  tile(4, 4),
];

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
  { m, n }: MatmulProblem,
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

const PACKED_NAMES = { float32: undefined, f16: 'b_halves', int8: 'b_bytes' } as const;

/** The uniforms of `shaders/lib/matmul.wgsl`. */
const uniformsOf = ({ a, b }: MatmulStep, { m, n, k }: MatmulProblem, { results, depth }: Goal) => ({
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
 * The parts that the launches of all variants share. The matrices are bound with the element types by which the kernel loads them.
 * @param loadA The WGSL of `load_a`. @param layoutA The layout of `a` as `load_a` reads it.
 */
const launchOf = (
  step: MatmulStep,
  problem: MatmulProblem,
  goal: Goal,
  loadA: string,
  layoutA: MatmulProblem['a'] = problem.a,
) => {
  const packed = PACKED_NAMES[problem.precision];
  return {
    bindings: {
      [layoutA === 'strided' ? 'a' : 'a4']: bindWhole(step.a),
      [packed ?? (problem.b === 'strided' ? 'b' : 'b4')]: bindWhole(step.b),
      ...goal.results.bindings,
    },
    splices: {
      ...goal.results.splices,
      load: `${loadA}\n\nfn load_b(k: u32, n: u32) -> mat4x4f {\n  return ${packed ?? 'b'}_${problem.b}(k, n);\n}`,
    },
    uniforms: uniformsOf(step, problem, goal),
  };
};

const REGISTERS_WORKGROUP = 16;

/** Each invocation computes a register tile by itself. */
const registers: MakeDispatch = (step, problem, goal, device) => {
  const best = bestTile(REGISTER_TILES, problem, goal.splits, device, 1);
  const [x, y] = gridFor(best.count, REGISTERS_WORKGROUP);
  const loadA = `fn load_a(m: u32, k: u32, lane: u32) -> mat4x4f {\n  return a_${problem.a}(m, k);\n}`;
  return dispatch(matmul, {
    ...launchOf(step, problem, goal, loadA),
    counts: { ...blocksOf(best), BLOCK_ROWS: blockRowsOf(problem) },
    constants: { WORKGROUP: REGISTERS_WORKGROUP },
    workgroups: [x, y, goal.splits],
  });
};

/** The rows of a block that exist, so that a result of fewer than 4 rows computes no others. */
const blockRowsOf = ({ m }: MatmulProblem): number => Math.min(4, m);

const SUBGROUP_SIZE = 4;

/** As `registers`, but the four invocations of a subgroup each load a quarter of their common block of `a` and broadcast it. */
const subgroup: MakeDispatch = (step, problem, goal, device) => {
  const best = bestTile(SUBGROUP_TILES, problem, goal.splits, device, SUBGROUP_SIZE);
  const blockOfA = {
    along_k: 'all_of(a_row_along_k(m + lane, k))',
    along_m: 'transpose(all_of(a_column_along_m(m, k + lane)))',
    along_n: '',
    strided: 'all_of(a_row_strided(m + lane, k))',
  }[problem.a];
  // If `a` has one row, each invocation loads one element of it instead of one row of four.
  const isSingleRow = problem.m === 1;
  const loadA = `fn load_a(m: u32, k: u32, lane: u32) -> mat4x4f {\n  return ${isSingleRow ? 'row_of(a_element(m, k + lane))' : blockOfA};\n}`;
  const [x, y] = gridFor(best.count, 1);
  return dispatch(matmul_subgroup, {
    ...launchOf(step, problem, goal, loadA, isSingleRow ? 'strided' : problem.a),
    counts: { ...blocksOf(best), BLOCK_ROWS: blockRowsOf(problem) },
    workgroups: [x, y, goal.splits],
  });
};

/** The results of a workgroup: a grid of invocations with a register tile each. */
const workgroupTile = (registerTile: RegisterTile, gridRows: number, gridColumns: number) => ({
  ...registerTile,
  gridRows,
  gridColumns,
  height: registerTile.rows * gridRows,
  width: registerTile.columns * gridColumns,
  workgroup: gridRows * gridColumns,
});
/** Sorted from large to small. */
const WORKGROUP_TILES = [
  workgroupTile(tile(8, 8), 16, 16),
  workgroupTile(tile(8, 8), 8, 8),
  workgroupTile(tile(4, 4), 8, 8),
];
/** The length along k of the tiles of a and b in workgroup memory. */
const TILE_K = 16;

/** Each workgroup computes a tile from tiles of a and b in workgroup memory. */
const tiled: MakeDispatch = (step, problem, goal, device) => {
  const { m, n } = problem;
  const tiles = WORKGROUP_TILES.filter(
    ({ height, width, workgroup }) =>
      workgroup <= device.workgroupSize && 4 * TILE_K * (height + width) <= device.workgroupMemory,
  );
  const tileCount = ({ height, width }: (typeof tiles)[number]): number =>
    Math.ceil(m / height) * Math.ceil(n / width);
  const chosen = chooseTile(tiles, device, (one) => tileCount(one) * one.workgroup * goal.splits);
  const { height, width, workgroup, gridRows, gridColumns } = chosen;
  const [aQuads, bQuads] = [height / 4, width / 4];
  /** WGSL that maps the i-th block of 4 × 4 to its quad over m or n and its quad over k, so that neighbours load neighbours. */
  const order = (name: string, layout: string, quads: number): string => {
    const isAlongK = layout !== 'along_m' && layout !== 'along_n';
    const [x, y] = isAlongK ? ['/', '%'] : ['%', '/'];
    const divisor = isAlongK ? TILE_K / 4 : quads;
    return `fn ${name}(i: u32) -> vec2u {\n  return vec2u(i ${x} ${divisor}u, i ${y} ${divisor}u);\n}`;
  };
  const loadA = `fn load_a(m: u32, k: u32) -> mat4x4f {\n  return a_${problem.a}(m, k);\n}`;
  const launch = launchOf(step, problem, goal, loadA);
  const [x, y] = gridFor(tileCount(chosen), 1);
  return dispatch(matmul_tiled, {
    ...launch,
    splices: {
      ...launch.splices,
      order: `${order('a_block', problem.a, aQuads)}\n\n${order('b_block', problem.b, bQuads)}`,
    },
    counts: {
      ...blocksOf(chosen),
      LOADS: Math.ceil(((aQuads + bQuads) * TILE_K) / 4 / workgroup),
    },
    constants: {
      GRID_ROWS: gridRows,
      GRID_COLUMNS: gridColumns,
      WORKGROUP: workgroup,
      A_QUADS: aQuads,
      B_QUADS: bQuads,
    },
    workgroups: [x, y, goal.splits],
  });
};

/** The most rows of `skinny`. */
const MAX_SKINNY_ROWS = 8;

/** Each invocation computes all rows of 4 columns; several invocations of a workgroup share k. */
const skinny: MakeDispatch = (step, problem, goal, device) => {
  const { m, n, k } = problem;
  const workgroup = device.software ? 16 : m > 4 ? 128 : 256;
  // Along n, at most 8: the others read adjacent columns. Along k, up to 64 invocations read adjacent quads of one column.
  const maxShares = device.software ? 1 : problem.b === 'along_n' ? 8 : 64;
  const kShares = Math.min(maxShares, 2 ** Math.floor(Math.log2(Math.ceil(k / 4))));
  const columnQuads = workgroup / kShares;
  const nFirst = problem.b === 'along_n';
  const divisor = nFirst ? columnQuads : kShares;
  const [x, y] = gridFor(Math.ceil(n / 4), columnQuads);
  // Four elements of a row of `a` are loaded as one vec4, or one by one.
  const a = problem.a === 'along_k' ? problem.a : 'strided';
  const loadA = `fn load_a(m: u32, k: u32) -> vec4f {\n  return a_row_${a}(m, k);\n}`;
  const launch = launchOf(step, problem, goal, loadA, a);
  return dispatch(matmul_skinny, {
    ...launch,
    splices: {
      ...launch.splices,
      mapping: ['k_share', 'column_quad']
        .map((name) => {
          const isFastest = (name === 'column_quad') === nFirst;
          return `fn ${name}(local: u32) -> u32 {\n  return local ${isFastest ? '%' : '/'} ${divisor}u;\n}`;
        })
        .join('\n\n'),
    },
    counts: { ROWS: m, TREE_LEVELS: Math.log2(kShares) },
    constants: { WORKGROUP: workgroup, K_SHARES: kShares },
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

const tilesOf = ({ m, n }: Pick<MatmulProblem, 'm' | 'n'>): number =>
  Math.ceil(m / HEURISTIC_TILE) * Math.ceil(n / HEURISTIC_TILE);

/**
 * The number of splits of k with which a small result fills a device; 1 if split-K does not pay.
 * @param tiles The number of tiles that fills the device.
 */
export function splitsFor(problem: Pick<MatmulProblem, 'm' | 'n' | 'k'>, tiles = GPU_TILES): number {
  const { m, n, k } = problem;
  return Math.max(
    1,
    Math.min(
      Math.ceil(tiles / tilesOf(problem)),
      Math.floor(k / MIN_SPLIT),
      Math.floor(MAX_PARTIAL_SUMS / (m * n)),
    ),
  );
}

const splitsOn = (problem: MatmulProblem, { software }: DeviceInfo): number =>
  splitsFor(problem, software ? SOFTWARE_TILES : GPU_TILES);

/** Whether a result is large enough for tiles in workgroup memory. */
const isLarge = ({ m, n }: MatmulProblem): boolean => m >= 32 && n >= 32;

/** One launch writes a partial sum for each split of k to scratch memory, a second one adds them and applies the epilogue. */
function splitK(step: MatmulStep, problem: MatmulProblem, device: DeviceInfo): Dispatch[] {
  const { m, n, k } = problem;
  const depth = TILE_K * Math.ceil(k / splitsOn(problem, device) / TILE_K);
  const splits = Math.ceil(k / depth);
  const [scratch] = step.scratch;
  const makePartial =
    device.subgroupSize === SUBGROUP_SIZE
      ? subgroup
      : !device.software && isLarge(problem)
        ? tiled
        : registers;
  const goal = { results: finalResults(step), splits, depth };
  return [
    makePartial(step, problem, { ...goal, results: partialResults(scratch, problem, splits) }, device),
    dispatch(matmul_sum, {
      bindings: { a: bindWhole(scratch), ...goal.results.bindings },
      splices: goal.results.splices,
      uniforms: uniformsOf(step, problem, goal),
      constants: { WORKGROUP: 64 },
      workgroups: gridFor(m * n, 64),
    }),
  ];
}

const SINGLE_LAUNCH = { registers, subgroup, tiled, skinny } as const;
export type MatmulVariant = keyof typeof SINGLE_LAUNCH | 'split_k';

/** The variants for a step on a device, the default first. */
export function matmulVariants(step: MatmulStep, device: DeviceInfo): Variants {
  const problem = problemOf(step);
  const { m, n, k } = problem;
  const isPossible: Record<MatmulVariant, boolean> = {
    registers: true,
    subgroup: device.subgroupSize === SUBGROUP_SIZE,
    tiled: !device.software && isLarge(problem),
    split_k: splitsOn(problem, device) > 1,
    skinny: m <= MAX_SKINNY_ROWS,
  };
  // For software adapters as measured on SwiftShader (bench/NOTES.md), for GPUs as in the literature.
  const preferred = ((): MatmulVariant => {
    if (isPossible.subgroup) return 'subgroup';
    if (m <= (device.software ? 2 : MAX_SKINNY_ROWS)) return 'skinny';
    if (device.software) return 'registers';
    if (isPossible.split_k && tilesOf(problem) < MIN_TILES_WITHOUT_SPLIT) return 'split_k';
    return isPossible.tiled ? 'tiled' : 'registers';
  })();
  const others = (Object.keys(isPossible) as MatmulVariant[]).filter(
    (name) => isPossible[name] && name !== preferred,
  );
  const short = (layout: string): string => (layout === 'strided' ? '-' : layout.slice('along_'.length));
  return {
    names: [preferred, ...others],
    kind: `${sizeClass(m, k, n)}:${short(problem.a)}${short(problem.b)}${problem.precision === 'float32' ? '' : `:${problem.precision}`}`,
  };
}

/** The launches of a step. @param variant The device's default unless given. */
export function matmulDispatches(step: MatmulStep, device: DeviceInfo, variant?: string): Dispatch[] {
  const problem = problemOf(step);
  const name = (variant ?? matmulVariants(step, device).names[0]) as MatmulVariant;
  if (name === 'split_k') return splitK(step, problem, device);
  const depth = TILE_K * Math.ceil(problem.k / TILE_K);
  const goal: Goal = { results: finalResults(step), splits: 1, depth };
  return [SINGLE_LAUNCH[name](step, problem, goal, device)];
}
