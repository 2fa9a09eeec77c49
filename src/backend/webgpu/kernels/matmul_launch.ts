// Operands of the matrix product's kernels: layouts, the epilogue, and where results are written.
import { transposeView, type View } from '../../../core/view.ts';
import { mul } from '../../../expr/arith.ts';
import { Expr, substitute } from '../../../expr/expr.ts';
import { inputName } from '../../../expr/operands.ts';
import { matmulOperands, PRODUCT, type MatmulAttrs } from '../../../ops/matmul.ts';
import { QUAD_WORDS, quadsOf, type WeightPrecision } from '../../../ops/weight_precision.ts';
import type { Placed, Region } from '../../../plan/region.ts';
import { bindWhole, type Binding } from '../dispatch.ts';
import { expressionBody, four, indexText, operandTable, shareBindings } from './wgsl_expression.ts';

/** A product whose operands are in buffers. */
export interface MatmulStep {
  readonly a: Region;
  /** For packed weights, the view is of their unpacked elements. */
  readonly b: Region;
  readonly precision: WeightPrecision;
  /** Over PRODUCT and the extra inputs, `in2`…. */
  readonly epilogue: Expr;
  readonly extras: readonly Region[];
  readonly out: Region;
  readonly scratch: readonly Region[];
}

/** Turns the scales of int8 rows into an operand of the epilogue. */
export function matmulStep({ attrs, inputs, outputs: [out], scratch }: Placed<MatmulAttrs>): MatmulStep {
  const { a, b: weights, packed, scale, extras } = matmulOperands(attrs, inputs);
  const first = inputs.length - extras.length;
  const shift = scale === undefined ? 2 : 3;
  const moved = extras.map((_, i) => [inputName(first + i), Expr.input(inputName(shift + i))] as const);
  const product = Expr.input(PRODUCT);
  const scaled = scale === undefined ? product : mul(product, Expr.input(inputName(2)));
  const [epilogue] = substitute([attrs.epilogue], new Map([...moved, [PRODUCT, scaled]]));
  if (attrs.packed === undefined || packed === undefined)
    return { a, b: weights, precision: 'float32', epilogue, extras, out, scratch };
  const { precision, transposed } = attrs.packed;
  const [rows, columns] = weights.view.shape;
  const view: View = {
    shape: [rows, columns],
    strides: [4 * quadsOf(columns), 1],
    offset: (4 * packed.view.offset) / QUAD_WORDS[precision],
  };
  const b: Region = { ...packed, view: transposed ? transposeView(view, [1, 0]) : view };
  if (scale === undefined) return { a, b, precision, epilogue, extras, out, scratch };
  const { offset, strides } = scale.view;
  const byColumn: Region = {
    ...scale,
    view: { shape: out.view.shape, strides: [0, strides[0]], offset },
  };
  return { a, b, precision, epilogue, extras: [byColumn, ...extras], out, scratch };
}

const extraNames = ['in2', 'in3', 'in4', 'in5', 'in6'] as const;
export const MAX_MATMUL_EXTRAS = extraNames.length;
const OUT = 5;

/** How blocks of a matrix are loaded: as vec4s along an axis whose elements are contiguous, otherwise number by number. */
export type MatrixLayout = 'along_m' | 'along_k' | 'along_n' | 'strided';

export interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: MatrixLayout;
  readonly b: MatrixLayout;
  /** Layout of b. */
  readonly precision: WeightPrecision;
}

function layoutOf<Axis extends MatrixLayout>(
  { strides, offset }: View,
  first: Axis,
  second: Axis,
  k: number,
): Axis | 'strided' {
  const whole = offset % 4 === 0 && k % 4 === 0;
  if (whole && strides[1] === 1 && strides[0] % 4 === 0) return second;
  if (whole && strides[0] === 1 && strides[1] % 4 === 0) return first;
  return 'strided';
}

export function productOf({ a, b, precision }: Pick<MatmulStep, 'a' | 'b' | 'precision'>): Product {
  const [m, k] = a.view.shape;
  const n = b.view.shape[1];
  return {
    m,
    n,
    k,
    a: layoutOf(a.view, 'along_m', 'along_k', k),
    // A packed row contains whole quads, whatever k is.
    b:
      precision === 'float32'
        ? layoutOf(b.view, 'along_k', 'along_n', k)
        : b.view.strides[0] === 1
          ? 'along_k'
          : 'along_n',
    precision,
  };
}

/** Binding names in a launch's own kernel; all product kernels share `shaders/lib/matmul.wgsl`. */
type MatrixBinding = 'a' | 'b' | 'a4' | 'b4' | 'b_halves' | 'b_bytes';
type ResultBinding = 'out' | (typeof extraNames)[number];

export interface Results {
  readonly bindings: Partial<Record<ResultBinding, Binding>>;
  readonly splices: { readonly epilogue: string; readonly index: string };
  readonly operands: ReturnType<typeof operandTable>;
}

/** Writes finished results, after the epilogue. */
export function finished({ epilogue, extras, out }: MatmulStep): Results {
  const { bindings, nameOf } = shareBindings(extras, extraNames, [out], ['out']);
  const body = expressionBody(
    [epilogue],
    (i) => `${nameOf(i - 2)}[${indexText(i - 2, extras[i - 2].view)}]`,
    ([value]) => [`return ${value};`],
    { [PRODUCT]: 'product' },
  );
  return resultsOf(bindings, body, [
    ...extras.map(({ view }, i) => [i, view] as const),
    [OUT, out.view] as const,
  ]);
}

/** Writes sums of parts of k, (parts, M, N), without the epilogue. */
export function partial(scratch: Region, { m, n }: Product, parts: number): Results {
  const view: View = { shape: [parts, m, n], strides: [m * n, n, 1], offset: scratch.view.offset };
  return resultsOf({ out: bindWhole(scratch) }, '  return product;', [[OUT, view]]);
}

function resultsOf(
  bindings: Results['bindings'],
  body: string,
  views: readonly (readonly [row: number, view: View])[],
): Results {
  const out = views[views.length - 1][1];
  return {
    bindings,
    splices: {
      epilogue: `fn epilogue(product: f32, at: vec4u) -> f32 {\n${body}\n}`,
      index: `fn result_index(at: vec4u) -> u32 {\n  return ${indexText(OUT, out)};\n}`,
    },
    operands: operandTable(
      6,
      new Map(
        views.map(([row, view]) => [row, { strides: four(view.strides, 0), offset: view.offset }] as const),
      ),
    ),
  };
}

const PACKED_NAMES = { float32: undefined, f16: 'b_halves', int8: 'b_bytes' } as const;

/** The function of `shaders/lib/matmul.wgsl` that loads a block of b. */
export const loaderOf = ({ b, precision }: Product): string =>
  precision === 'float32' ? `b_${b}` : `${PACKED_NAMES[precision]}_${b}`;

/** Bindings of the matrices, as vec4s if loaded so. @param a The layout of a; undefined means `product`'s. */
export function matricesOf({ a, b }: MatmulStep, product: Product): Partial<Record<MatrixBinding, Binding>> {
  return {
    [product.a === 'strided' ? 'a' : 'a4']: bindWhole(a),
    [PACKED_NAMES[product.precision] ?? (product.b === 'strided' ? 'b' : 'b4')]: bindWhole(b),
  };
}

/** @param depth Length of a part of k; all of k by default. */
export function uniformsOf(
  { a, b }: MatmulStep,
  { m, n, k }: Product,
  { operands }: Results,
  depth: number = 16 * Math.ceil(k / 16),
): {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly depth: number;
  readonly a_strides: readonly [number, number];
  readonly b_strides: readonly [number, number];
  readonly a_offset: number;
  readonly b_offset: number;
  readonly operands: Results['operands'];
} {
  return {
    m,
    n,
    k,
    depth,
    a_strides: [a.view.strides[0], a.view.strides[1]],
    b_strides: [b.view.strides[0], b.view.strides[1]],
    a_offset: a.view.offset,
    b_offset: b.view.offset,
    operands,
  };
}
