// The parts that all variants of matmul share in a launch: layouts of the matrices, the epilogue and the placement of results.
import { transposeView, type View } from '../../../core/view.ts';
import { matmulOperands, matmulSizes, PRODUCT, type MatmulAttrs } from '../../../ops/matmul.ts';
import { QUAD_WORDS, quadsOf, type WeightPrecision } from '../../../ops/weight_precision.ts';
import type { Placed, Region } from '../../../plan/target.ts';
import { bindWhole, type Binding } from '../dispatch.ts';
import {
  expressionBody,
  indexText,
  operandUniform,
  shareBindings,
  type OperandUniform,
} from './wgsl_expression.ts';

/** How a kernel loads a matrix: as vec4s of four contiguous elements along an axis, or element by element. */
type MatrixLayout = 'along_m' | 'along_k' | 'along_n' | 'strided';

/** The sizes of a product, its matrices (M, K) and (K, N), and their layouts. */
export interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Region;
  readonly aLayout: MatrixLayout;
  /** If b is packed, its view counts packed elements and not words. */
  readonly b: Region;
  readonly bLayout: MatrixLayout;
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

export function productOf({ attrs, inputs }: Placed<MatmulAttrs>): Product {
  const { a, b, packed } = matmulOperands(attrs, inputs);
  const sizes = matmulSizes(
    attrs,
    inputs.map(({ view }) => view),
  );
  const { k } = sizes;
  const common = { ...sizes, a, aLayout: layoutOf(a.view, 'along_m', 'along_k', k) };
  if (attrs.packed === undefined || packed === undefined)
    return { ...common, b, bLayout: layoutOf(b.view, 'along_k', 'along_n', k), precision: 'float32' };
  const { precision, transposed } = attrs.packed;
  const [rows, columns] = b.view.shape;
  // A packed row consists of whole quads for any number of columns.
  const view: View = {
    shape: [rows, columns],
    strides: [4 * quadsOf(columns), 1],
    offset: (4 * packed.view.offset) / QUAD_WORDS[precision],
  };
  return transposed
    ? { ...common, b: { ...packed, view: transposeView(view, [1, 0]) }, bLayout: 'along_k', precision }
    : { ...common, b: { ...packed, view }, bLayout: 'along_n', precision };
}

const extraNames = ['in2', 'in3', 'in4', 'in5', 'in6'] as const;
export const MAX_MATMUL_EXTRAS = extraNames.length;

/** Where and how a launch writes its results. */
export interface Results {
  readonly bindings: Partial<Record<'out' | (typeof extraNames)[number], Binding>>;
  readonly splices: { readonly epilogue: string; readonly index: string };
  readonly operands: readonly OperandUniform[];
}

/** The results of the op, after its epilogue. */
export function finalResults({ attrs, inputs, outputs: [out] }: Placed<MatmulAttrs>): Results {
  const { scale, extras } = matmulOperands(attrs, inputs);
  // The sum of a column of int8 weights is in units of the column's scale.
  const scaleOf = ({ view: { strides, offset }, ...region }: Region): Region => ({
    ...region,
    view: { shape: out.view.shape, strides: [0, strides[0]], offset },
  });
  const read = [...(scale === undefined ? [] : [scaleOf(scale)]), ...extras];
  const { bindings, nameOf } = shareBindings(read, extraNames, [out], ['out']);
  const element = (i: number): string => `${nameOf(read[i])}[${indexText(i + 1, read[i].view)}]`;
  const body = expressionBody(
    [attrs.epilogue],
    (position) => element(position - inputs.length + read.length),
    ([value]) => [`return ${value};`],
    { [PRODUCT]: scale === undefined ? 'product' : `product * ${element(0)}` },
  );
  return resultsOf(bindings, body, [out.view, ...read.map(({ view }) => view)]);
}

/** The partial sums of split-K, (splits, M, N), without epilogue. */
export function partialResults(scratch: Region, { m, n }: Product, splits: number): Results {
  const view: View = { shape: [splits, m, n], strides: [m * n, n, 1], offset: scratch.view.offset };
  return resultsOf({ out: bindWhole(scratch) }, '  return product;', [view]);
}

/** @param views Of the result and of what the epilogue reads: the rows of `params.operands`. */
const resultsOf = (bindings: Results['bindings'], body: string, views: readonly View[]): Results => ({
  bindings,
  splices: {
    epilogue: `fn epilogue(product: f32, at: vec4u) -> f32 {\n${body}\n}`,
    index: `fn result_index(at: vec4u) -> u32 {\n  return ${indexText(0, views[0])};\n}`,
  },
  operands: views.map(operandUniform),
});
