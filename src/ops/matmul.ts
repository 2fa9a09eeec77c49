// The matrix product, over strided matrices, with an expression applied to each result (bias, activation, residual).
import { GatewiseError, show } from '../core/errors.ts';
import { sizeOf } from '../core/shape.ts';
import { walk, type View } from '../core/view.ts';
import { evaluator } from '../expr/evaluate.ts';
import { Expr } from '../expr/expr.ts';
import { bindWhole, chooseTile, dispatch } from '../graph/launch.ts';
import { defineOp, expectValue, sizeClass, type Op, type Value } from '../graph/value.ts';
import { matmul as kernel } from '../../shaders/gen/matmul.ts';
import { apply } from './apply.ts';
import { reshape, transpose, transposeOp } from './structure.ts';
import {
  countOperations,
  expressionBody,
  four,
  gridFor,
  indexText,
  inputName,
  operandTable,
  shareBindings,
} from './wgsl_expression.ts';

export interface MatmulAttrs {
  /** Over the result, named PRODUCT, and the inputs `in2`…, which have the result's shape. */
  readonly epilogue: Expr;
}

/** The name of the product in an epilogue. */
export const PRODUCT = 'product';
const extraNames = ['in2', 'in3', 'in4', 'in5', 'in6'] as const;
export const MAX_MATMUL_EXTRAS = extraNames.length;
const OUT = 5;
const WORKGROUP = 16;
/** Results of one invocation, in blocks of 4 by 4: bands of rows and quads of columns, largest first. */
const TILES = [
  { bands: 4, quads: 4 },
  { bands: 4, quads: 2 },
  { bands: 2, quads: 2 },
  { bands: 2, quads: 1 },
  { bands: 1, quads: 1 },
] as const;

/** How blocks of a matrix are loaded: four neighbours along `first` or `second` as one vec4, where they lie so. */
function layoutOf({ strides, offset }: View, first: 'm' | 'k', second: 'k' | 'n', k: number): string {
  const whole = offset % 4 === 0 && k % 4 === 0;
  if (whole && strides[1] === 1 && strides[0] % 4 === 0) return `along_${second}`;
  if (whole && strides[0] === 1 && strides[1] % 4 === 0) return `along_${first}`;
  return 'strided';
}

export const matmulOp: Op<MatmulAttrs> = /* @__PURE__ */ defineOp({
  name: 'matmul',
  summary: 'a (M, K) · b (K, N), with an expression applied to each result',
  infer: (_, [a, b]) => {
    if (a.shape.length !== 2 || b.shape.length !== 2 || a.shape[1] !== b.shape[0]) {
      throw new GatewiseError(
        'shape',
        `matmul: expected (M, K) and (K, N) with one K, got ${show(a.shape)} and ${show(b.shape)}`,
      );
    }
    return [{ shape: [a.shape[0], b.shape[1]], dtype: 'f32' }];
  },
  readsStrided: () => true,
  writesStrided: true,
  cpu: ({ epilogue }, [a, b, ...extras], [out]) => {
    const [m, k] = a.view.shape;
    const n = b.view.shape[1];
    const [aRow, aColumn] = a.view.strides;
    const [bRow, bColumn] = b.view.strides;
    const product = new Float64Array(m * n);
    const row = new Float64Array(n);
    for (let i = 0; i < m; i++) {
      row.fill(0);
      for (let l = 0; l < k; l++) {
        const factor = a.data[a.view.offset + i * aRow + l * aColumn];
        let at = b.view.offset + l * bRow;
        for (let j = 0; j < n; j++, at += bColumn) row[j] += factor * b.data[at];
      }
      product.set(row, i * n);
    }
    const evaluate = evaluator([epilogue], [PRODUCT, ...extras.map((_, i) => inputName(i + 2))]);
    const values = new Float64Array(1 + extras.length);
    const result = new Float64Array(1);
    let next = 0;
    walk([out.view, ...extras.map(({ view }) => view)], (at) => {
      values[0] = product[next++];
      extras.forEach(({ data }, i) => (values[i + 1] = data[at[i + 1]]));
      evaluate(values, result);
      out.data[at[0]] = result[0];
    });
  },
  variants: ({ inputs: [a, b] }) => {
    const [m, k] = a.view.shape;
    const n = b.view.shape[1];
    const layouts = [layoutOf(a.view, 'm', 'k', k), layoutOf(b.view, 'k', 'n', k)].map((layout) =>
      layout === 'strided' ? '-' : layout.slice('along_'.length),
    );
    return { names: ['registers'], kind: `${sizeClass(m, k, n)}:${layouts.join('')}` };
  },
  gpu: ({ attrs: { epilogue }, inputs: [a, b, ...extras], outputs: [out] }, target) => {
    const [m, k] = a.view.shape;
    const n = b.view.shape[1];
    const { bindings, nameOf } = shareBindings(extras, extraNames, [out], ['out']);
    const operand = (view: View): { strides: readonly [number, number, number, number]; offset: number } => ({
      strides: four(view.strides, 0),
      offset: view.offset,
    });
    const operands = new Map([
      ...extras.map(({ view }, i) => [i, operand(view)] as const),
      [OUT, operand(out.view)] as const,
    ]);
    const body = expressionBody(
      [epilogue],
      (i) => `${nameOf(i - 2)}[${indexText(i - 2, extras[i - 2].view)}]`,
      ([value]) => [`return ${value};`],
      { [PRODUCT]: 'product' },
    );
    const tilesOf = (tile: (typeof TILES)[number]): number =>
      Math.ceil(m / (4 * tile.bands)) * Math.ceil(n / (4 * tile.quads));
    const tile = chooseTile(TILES, target, tilesOf);
    const layoutA = layoutOf(a.view, 'm', 'k', k);
    const layoutB = layoutOf(b.view, 'k', 'n', k);
    return [
      dispatch(kernel, {
        bindings: {
          ...bindings,
          [layoutA === 'strided' ? 'a' : 'a4']: bindWhole(a),
          [layoutB === 'strided' ? 'b' : 'b4']: bindWhole(b),
        },
        splices: {
          load: `fn load_a(m: u32, k: u32) -> mat4x4f {\n  return a_${layoutA}(m, k);\n}\n\nfn load_b(k: u32, n: u32) -> mat4x4f {\n  return b_${layoutB}(k, n);\n}`,
          index: `fn result_index(at: vec4u) -> u32 {\n  return ${indexText(OUT, out.view)};\n}`,
          epilogue: `fn epilogue(product: f32, at: vec4u) -> f32 {\n${body}\n}`,
        },
        counts: { BANDS: tile.bands, QUADS: tile.quads },
        uniforms: {
          m,
          n,
          k,
          a_strides: [a.view.strides[0], a.view.strides[1]],
          b_strides: [b.view.strides[0], b.view.strides[1]],
          a_offset: a.view.offset,
          b_offset: b.view.offset,
          operands: operandTable(6, operands),
        },
        constants: { WORKGROUP },
        workgroups: gridFor(tilesOf(tile), WORKGROUP),
      }),
    ];
  },
  cost: ({ epilogue }, [a], [out]) => (2 * a.shape[1] + countOperations([epilogue])) * sizeOf(out.shape),
  grad: (node, [d]) => {
    const [a, b] = node.inputs;
    if (d === undefined) return [];
    // The gradient of a transposed operand is made the way its owner stores it, so that nothing has to be transposed.
    const isTransposed = (x: Value): boolean => x.node?.op.name === transposeOp.name;
    const dA = isTransposed(a) ? transpose(matmul(b, transpose(d))) : matmul(d, transpose(b));
    const dB = isTransposed(b) ? transpose(matmul(transpose(d), a)) : matmul(transpose(a), d);
    return [dA, dB];
  },
  tolerance: { absolute: 1e-5, relative: 1e-5 },
});

/**
 * `a · b`. Axes of `a` in front of its last two are rows too: (…, M, K) · (K, N) is (…, M, N).
 * @throws GatewiseError `shape` where the inner sizes differ or `b` is not a matrix.
 */
export function matmul(
  a: Value,
  b: Value,
  options: { transposeA?: boolean; transposeB?: boolean } = {},
): Value {
  expectValue('matmul: first operand', a, 'f32');
  expectValue('matmul: second operand', b, 'f32');
  const left = options.transposeA ? transpose(a) : a;
  const right = options.transposeB ? transpose(b) : b;
  if (right.shape.length !== 2 || left.shape.length < 2 || left.shape.at(-1) !== right.shape[0]) {
    const flags = `${options.transposeA ? ', first transposed' : ''}${options.transposeB ? ', second transposed' : ''}`;
    throw new GatewiseError(
      'shape',
      `matmul: expected (…, M, K) and (K, N) with one K, got ${show(a.shape)} and ${show(b.shape)}${flags}`,
    );
  }
  const flat = reshape(left, [-1, right.shape[0]]);
  const product = apply(matmulOp, { epilogue: Expr.input(PRODUCT) }, [flat, right]);
  return reshape(product, [...left.shape.slice(0, -1), right.shape[1]]);
}
