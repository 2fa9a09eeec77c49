// The parts that all variants of matmul share in a launch: layouts of the matrices, the epilogue and the placement of results.
import { transposeView, type View } from '../../../core/view.ts';
import { mul } from '../../../expr/arith.ts';
import { Expr, inputName, substitute } from '../../../expr/expr.ts';
import { matmulOperands, PRODUCT, type MatmulAttrs } from '../../../ops/matmul.ts';
import { QUAD_WORDS, quadsOf, type WeightPrecision } from '../../../ops/weight_precision.ts';
import type { Placed, Region } from '../../../plan/target.ts';
import { bindWhole, type Binding } from '../dispatch.ts';
import { expressionBody, four, indexText, operandTable, shareBindings } from './wgsl_expression.ts';

/** The operands of a matmul step, as all variants take them. */
export interface MatmulStep {
  /** (M, K). */
  readonly a: Region;
  /** (K, N). If b is packed, its view counts packed elements and not words. */
  readonly b: Region;
  /** The precision of b. */
  readonly precision: WeightPrecision;
  /** An expression over PRODUCT and the extras, `in2`…. */
  readonly epilogue: Expr;
  readonly extras: readonly Region[];
  readonly out: Region;
  readonly scratch: readonly Region[];
}

/** The operands of a placed op. The scales of int8 weights become an extra of the epilogue, which multiplies the sum by them. */
export function matmulStep({ attrs, inputs, outputs: [out], scratch }: Placed<MatmulAttrs>): MatmulStep {
  const { a, b: weights, packed, scale, extras } = matmulOperands(attrs, inputs);
  const first = inputs.length - extras.length;
  const shift = scale === undefined ? 2 : 3;
  const renamed = extras.map((_, i) => [inputName(first + i), Expr.input(inputName(shift + i))] as const);
  const product = Expr.input(PRODUCT);
  const scaled = scale === undefined ? product : mul(product, Expr.input(inputName(2)));
  const [epilogue] = substitute([attrs.epilogue], new Map([...renamed, [PRODUCT, scaled]]));
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
  const columnScales: Region = {
    ...scale,
    view: { shape: out.view.shape, strides: [0, strides[0]], offset },
  };
  return { a, b, precision, epilogue, extras: [columnScales, ...extras], out, scratch };
}

const extraNames = ['in2', 'in3', 'in4', 'in5', 'in6'] as const;
export const MAX_MATMUL_EXTRAS = extraNames.length;
/** The row of the table of operands that describes the result. */
const OUT = 5;

/** How a kernel loads a matrix: as vec4s of four contiguous elements along an axis, or element by element. */
type MatrixLayout = 'along_m' | 'along_k' | 'along_n' | 'strided';

/** The sizes of a product and the layouts of its matrices. */
export interface MatmulProblem {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: MatrixLayout;
  readonly b: MatrixLayout;
  /** The precision of b. */
  readonly precision: WeightPrecision;
}

function layoutOf<Axis extends MatrixLayout>(
  { strides, offset }: View,
  first: Axis,
  second: Axis,
  k: number,
): Axis | 'strided' {
  const isAligned = offset % 4 === 0 && k % 4 === 0;
  if (isAligned && strides[1] === 1 && strides[0] % 4 === 0) return second;
  if (isAligned && strides[0] === 1 && strides[1] % 4 === 0) return first;
  return 'strided';
}

export function problemOf({ a, b, precision }: MatmulStep): MatmulProblem {
  const [m, k] = a.view.shape;
  const n = b.view.shape[1];
  return {
    m,
    n,
    k,
    a: layoutOf(a.view, 'along_m', 'along_k', k),
    // A packed row consists of whole quads for any k.
    b:
      precision === 'float32'
        ? layoutOf(b.view, 'along_k', 'along_n', k)
        : b.view.strides[0] === 1
          ? 'along_k'
          : 'along_n',
    precision,
  };
}

type ResultBinding = 'out' | (typeof extraNames)[number];

/** Where and how a launch writes its results. */
export interface Results {
  readonly bindings: Partial<Record<ResultBinding, Binding>>;
  readonly splices: { readonly epilogue: string; readonly index: string };
  readonly operands: ReturnType<typeof operandTable>;
}

/** The results of the op, after its epilogue. */
export function finalResults({ epilogue, extras, out }: MatmulStep): Results {
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

/** The partial sums of split-K, (splits, M, N), without epilogue. */
export function partialResults(scratch: Region, { m, n }: MatmulProblem, splits: number): Results {
  const view: View = { shape: [splits, m, n], strides: [m * n, n, 1], offset: scratch.view.offset };
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
