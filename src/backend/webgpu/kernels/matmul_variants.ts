// The variants of the matrix product, and the rules that choose one where tuning has not.
import { matmul } from '../../../../shaders/gen/matmul.ts';
import { matmul_subgroup } from '../../../../shaders/gen/matmul_subgroup.ts';
import { matmul_skinny } from '../../../../shaders/gen/matmul_skinny.ts';
import { matmul_sum } from '../../../../shaders/gen/matmul_sum.ts';
import { matmul_tiled } from '../../../../shaders/gen/matmul_tiled.ts';
import { chooseTile, type DeviceInfo } from '../device_info.ts';
import { bindWhole, dispatch, type Dispatch } from '../dispatch.ts';
import { sizeClass, type Variants } from './kernel.ts';
import {
  finished,
  loaderOf,
  matricesOf,
  partial,
  productOf,
  uniformsOf,
  type MatmulStep,
  type Product,
  type Results,
} from './matmul_launch.ts';
import { gridFor } from './wgsl_expression.ts';

/** Where results are written, and the part of k that each sum covers. */
interface Goal {
  readonly results: Results;
  readonly parts: number;
  /** Length of a part of k, a multiple of 16. */
  readonly depth: number;
}

type Way = (step: MatmulStep, product: Product, goal: Goal, device: DeviceInfo) => Dispatch;

/** Results of one invocation, in 4 × 4 blocks: bands of rows and quads of columns. */
interface Tile {
  readonly bands: number;
  readonly quads: number;
}

const tile = (bands: number, quads: number): Tile => ({ bands, quads });
const REGISTER_TILES: readonly Tile[] = [tile(4, 4), tile(4, 2), tile(2, 2), tile(2, 1), tile(1, 1)];
const LANE_TILES: readonly Tile[] = [
  tile(8, 4),
  tile(4, 4),
  tile(4, 2),
  tile(4, 1),
  tile(2, 4),
  tile(2, 2),
  tile(2, 1),
  tile(1, 4),
  tile(1, 2),
  tile(1, 1),
];

/** Multiply-adds per element load of equal duration: a software adapter's ratio, which suits GPUs as well. */
const LOAD = 8;

/**
 * Of the tiles that fill the device, the one with the least work, counting loads and results past the edges.
 * @param lanes Invocations that own adjacent tiles and load `a` together.
 */
function bestTile(
  tiles: readonly Tile[],
  { m, n }: Product,
  parts: number,
  device: DeviceInfo,
  lanes: number,
): Tile & { readonly count: number } {
  const counted = tiles.map(({ bands, quads }) => {
    const [tall, wide] = [4 * bands, 4 * quads * lanes];
    const count = Math.ceil(m / tall) * Math.ceil(n / wide);
    return { bands, quads, count, work: count * (tall * wide + LOAD * (tall + wide)) };
  });
  const filling = counted.filter(({ count }) => count * lanes * parts >= device.parallelism);
  const most = Math.max(...counted.map(({ count }) => count));
  const fitting = filling.length > 0 ? filling : counted.filter(({ count }) => count === most);
  return fitting.reduce((best, other) => (other.work < best.work ? other : best));
}

const REGISTER_WORKGROUP = 16;

const registers: Way = (step, product, { results, parts, depth }, device) => {
  const { bands, quads, count } = bestTile(REGISTER_TILES, product, parts, device, 1);
  const [x, y] = gridFor(count, REGISTER_WORKGROUP);
  return dispatch(matmul, {
    bindings: { ...matricesOf(step, product), ...results.bindings },
    splices: {
      ...results.splices,
      load: `fn load_a(m: u32, k: u32, lane: u32) -> mat4x4f {\n  return a_${product.a}(m, k);\n}\n\n${loadB(product)}`,
    },
    counts: { BANDS: bands, QUADS: quads, ROWS: rowsOf(product) },
    uniforms: uniformsOf(step, product, results, depth),
    constants: { WORKGROUP: REGISTER_WORKGROUP },
    workgroups: [x, y, parts],
  });
};

/** Rows per band. */
const rowsOf = ({ m }: Product): number => Math.min(4, m);

const loadB = (product: Product): string =>
  `fn load_b(k: u32, n: u32) -> mat4x4f {\n  return ${loaderOf(product)}(k, n);\n}`;

const LANES = 4;

const subgroup: Way = (step, product, { results, parts, depth }, device) => {
  const { bands, quads, count } = bestTile(LANE_TILES, product, parts, device, LANES);
  const own = {
    along_k: 'all_of(a_row_along_k(m + lane, k))',
    along_m: 'transpose(all_of(a_column_along_m(m, k + lane)))',
    along_n: '',
    strided: 'all_of(a_row_strided(m + lane, k))',
  }[product.a];
  // With a single row, each invocation loads one number instead of a row.
  const single = product.m === 1;
  const given: Product = single ? { ...product, a: 'strided' } : product;
  const [x, y] = gridFor(count, 1);
  return dispatch(matmul_subgroup, {
    bindings: { ...matricesOf(step, given), ...results.bindings },
    splices: {
      ...results.splices,
      load: `fn load_a(m: u32, k: u32, lane: u32) -> mat4x4f {\n  return ${single ? 'row_of(a_number(m, k + lane))' : own};\n}\n\n${loadB(product)}`,
    },
    counts: { BANDS: bands, QUADS: quads, ROWS: rowsOf(product) },
    uniforms: uniformsOf(step, product, results, depth),
    workgroups: [x, y, parts],
  });
};

/** Tiles of a workgroup: TALL × WIDE invocations with one tile each, largest first. */
const WORKGROUP_TILES = [
  { ...tile(2, 2), tall: 16, wide: 16 },
  { ...tile(2, 2), tall: 8, wide: 8 },
  { ...tile(1, 1), tall: 8, wide: 8 },
] as const;
/** The extent of k staged in workgroup memory at a time. */
const STAGED = 16;

const tiled: Way = (step, product, { results, parts, depth }, device) => {
  const { m, n } = product;
  const groups = ({ bands, quads, tall, wide }: (typeof WORKGROUP_TILES)[number]): number =>
    Math.ceil(m / (4 * bands * tall)) * Math.ceil(n / (4 * quads * wide));
  const allowed = WORKGROUP_TILES.filter(
    ({ bands, quads, tall, wide }) =>
      tall * wide <= device.workgroupSize &&
      16 * STAGED * (bands * tall + quads * wide) <= device.workgroupMemory,
  );
  const chosen = chooseTile(allowed, device, (one) => groups(one) * one.tall * one.wide * parts);
  const { bands, quads, tall, wide } = chosen;
  const workgroup = tall * wide;
  const [aWidth, bWidth] = [bands * tall, quads * wide];
  /** Adjacent invocations load adjacent memory. */
  const order = (name: string, layout: string, width: number): string => {
    const [x, y] = layout === 'along_m' || layout === 'along_n' ? ['%', '/'] : ['/', '%'];
    const by = layout === 'along_m' || layout === 'along_n' ? width : STAGED / 4;
    return `fn ${name}(i: u32) -> vec2u {\n  return vec2u(i ${x} ${by}u, i ${y} ${by}u);\n}`;
  };
  const [x, y] = gridFor(groups(chosen), 1);
  return dispatch(matmul_tiled, {
    bindings: { ...matricesOf(step, product), ...results.bindings },
    splices: {
      ...results.splices,
      load: `fn load_a(m: u32, k: u32) -> mat4x4f {\n  return a_${product.a}(m, k);\n}\n\n${loadB(product)}`,
      order: `${order('a_block', product.a, aWidth)}\n\n${order('b_block', product.b, bWidth)}`,
    },
    counts: {
      BANDS: bands,
      QUADS: quads,
      BLOCKS: Math.ceil(((aWidth + bWidth) * STAGED) / 4 / workgroup),
    },
    uniforms: uniformsOf(step, product, results, depth),
    constants: { TALL: tall, WIDE: wide, WORKGROUP: workgroup, A_WIDTH: aWidth, B_WIDTH: bWidth },
    workgroups: [x, y, parts],
  });
};

/** The most rows of the kernel for few rows. */
const FEW_ROWS = 8;

const skinny: Way = (step, product, { results, depth }, device) => {
  const { m, n, k } = product;
  const quads = Math.ceil(k / 4);
  const workgroup = device.software ? 16 : m > 4 ? 128 : 256;
  // Lanes run along k if k is contiguous; otherwise few lanes do, so that each invocation reads its own quarter cache line.
  const most = device.software ? 1 : product.b === 'along_n' ? 8 : 64;
  const kLanes = Math.min(most, 2 ** Math.floor(Math.log2(quads)));
  const nLanes = workgroup / kLanes;
  const nFirst = product.b === 'along_n';
  const [x, y] = gridFor(Math.ceil(n / 4), nLanes);
  return dispatch(matmul_skinny, {
    bindings: { ...matricesOf(step, { ...product, a: rowLayout(product) }), ...results.bindings },
    splices: {
      ...results.splices,
      load: `fn load_a(m: u32, k: u32) -> vec4f {\n  return a_row_${rowLayout(product)}(m, k);\n}\n\n${loadB(product)}`,
      place: ['k_lane', 'n_lane']
        .map((name) => {
          const inner = (name === 'n_lane') === nFirst;
          const size = nFirst ? nLanes : kLanes;
          return `fn ${name}(local: u32) -> u32 {\n  return local ${inner ? '%' : '/'} ${size}u;\n}`;
        })
        .join('\n\n'),
    },
    counts: { ROWS: m, HALVINGS: Math.log2(kLanes) },
    uniforms: uniformsOf(step, product, results, depth),
    constants: { WORKGROUP: workgroup, K_LANES: kLanes },
    workgroups: [x, y, 1],
  });
};

/** Loads a row of a as vec4s over k, or number by number. */
const rowLayout = ({ a }: Product): 'along_k' | 'strided' => (a === 'along_k' ? a : 'strided');

/** Rows and columns of the tiles that these rules count. */
const RULE_TILE = 64;
/** The shortest part of k. */
const SHORTEST_PART = 128;
/** The most elements of all partial sums together. */
const MOST_PARTIAL = 2 ** 20;
/** Tiles that fill a GPU, and a few CPU cores. */
const BUSY = 512;
const SOFTWARE_BUSY = 8;
/** With fewer tiles than this, split-K is faster on a GPU of a hundred cores, despite the second sum. */
const FEW_TILES = 128;

const tilesOf = ({ m, n }: Pick<Product, 'm' | 'n'>): number =>
  Math.ceil(m / RULE_TILE) * Math.ceil(n / RULE_TILE);

/** The number of parts for split-K, chosen so that few tiles still fill a device; 1 if splitting does not pay. */
export function partsOf(product: Pick<Product, 'm' | 'n' | 'k'>, busy = BUSY): number {
  const { m, n, k } = product;
  return Math.max(
    1,
    Math.min(
      Math.ceil(busy / tilesOf(product)),
      Math.floor(k / SHORTEST_PART),
      Math.floor(MOST_PARTIAL / (m * n)),
    ),
  );
}

/** Whether the result is large enough for tiles in workgroup memory. */
const isLarge = ({ m, n }: Product): boolean => m >= 32 && n >= 32;

function splitK(step: MatmulStep, product: Product, device: DeviceInfo): Dispatch[] {
  const { m, n, k } = product;
  const wanted = partsOf(product, device.software ? SOFTWARE_BUSY : BUSY);
  const depth = STAGED * Math.ceil(k / wanted / STAGED);
  const parts = Math.ceil(k / depth);
  const [scratch] = step.scratch;
  const way =
    device.subgroupSize === LANES ? subgroup : !device.software && isLarge(product) ? tiled : registers;
  const results = finished(step);
  return [
    way(step, product, { results: partial(scratch, product, parts), parts, depth }, device),
    dispatch(matmul_sum, {
      bindings: { a: bindWhole(scratch), ...results.bindings },
      splices: results.splices,
      uniforms: uniformsOf(step, product, results, depth),
      constants: { WORKGROUP: 64 },
      workgroups: gridFor(m * n, 64),
    }),
  ];
}

const WAYS = { registers, subgroup, tiled, skinny } as const;
export type MatmulVariant = keyof typeof WAYS | 'split_k';

/** The variants for this product, the device's default first. */
export function matmulVariants(step: MatmulStep, device: DeviceInfo): Variants {
  const product = productOf(step);
  const { m, n, k } = product;
  const fits: Record<MatmulVariant, boolean> = {
    registers: true,
    subgroup: device.subgroupSize === LANES,
    tiled: !device.software && isLarge(product),
    split_k: partsOf(product, device.software ? SOFTWARE_BUSY : BUSY) > 1,
    skinny: m <= FEW_ROWS,
  };
  // Measured on SwiftShader (bench/NOTES.md); for GPUs taken from the literature.
  const preferred = ((): MatmulVariant => {
    if (fits.subgroup) return 'subgroup';
    if (m <= (device.software ? 2 : FEW_ROWS)) return 'skinny';
    if (device.software) return 'registers';
    if (fits.split_k && tilesOf(product) < FEW_TILES) return 'split_k';
    return fits.tiled ? 'tiled' : 'registers';
  })();
  const others = (Object.keys(fits) as MatmulVariant[]).filter((name) => fits[name] && name !== preferred);
  const short = (layout: string): string => (layout === 'strided' ? '-' : layout.slice('along_'.length));
  return {
    names: [preferred, ...others],
    kind: `${sizeClass(m, k, n)}:${short(product.a)}${short(product.b)}${product.precision === 'float32' ? '' : `:${product.precision}`}`,
  };
}

export function matmulDispatches(step: MatmulStep, device: DeviceInfo, variant?: string): Dispatch[] {
  const product = productOf(step);
  const name = (variant ?? matmulVariants(step, device).names[0]) as MatmulVariant;
  if (name === 'split_k') return splitK(step, product, device);
  const depth = STAGED * Math.ceil(product.k / STAGED);
  return [WAYS[name](step, product, { results: finished(step), parts: 1, depth }, device)];
}
