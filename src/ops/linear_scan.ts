// A linear recurrence over time, element by element: h_t = a_t · h_{t-1} + b_t. A step is the pair (a, b), and composing steps
// is associative, (a2, b2) ∘ (a1, b1) = (a2·a1, a2·b1 + b2), so time can be processed in parallel: Blelloch, "Prefix sums and
// their applications" (1990). a and b are expressions over the slots of the inputs, so the kernel reads each gate once and
// stores no coefficients.
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape, sizeOf } from '../core/shape.ts';
import { broadcastView, type View } from '../core/view.ts';
import { add, mul, where } from '../expr/arith.ts';
import { countOperations, derivative, Expr, inputName, substitute } from '../expr/expr.ts';
import { vjp } from '../graph/autodiff.ts';
import { applyNamed, operandsOf, type OperandCounts } from '../graph/operands.ts';
import { defineOp, expectValue, type Op, type Signature, type Value } from '../graph/value.ts';
import { enter } from './checkpoint.ts';
import { elementwise } from './elementwise.ts';
import { concat, reshape, slice, split, zeros } from './structure.ts';

export interface LinearScanAttrs {
  /** Scans from the last step to the first. */
  readonly reverse: boolean;
  /** a and b of h_t = a_t · h_{t-1} + b_t, as expressions over `in0`…, which number the slots of all sources in order. */
  readonly step: readonly [a: Expr, b: Expr];
  /**
   * `sources` (T, B, slots, H) each; `mask` (T, B): where it is 0, a = 1 and b = 0; `initial` (B, H): h_0, else zeros.
   * Backward: `h` and `dH`, the gradient of h, (T, B, H).
   */
  readonly operands: OperandCounts<'sources' | 'mask' | 'h' | 'dH' | 'initial'>;
}

/** The most slots that a scan reads: the kernels reserve one uniform row for each slot and one for its gradient. */
export const MAX_SLOTS = 5;

/** The inputs of a scan by name; absent ones are undefined. */
export function scanOperands<T>({ operands }: LinearScanAttrs, inputs: readonly T[]) {
  const { sources, mask, h, dH, initial } = operandsOf(operands, inputs);
  return { sources, mask: mask.at(0), h: h.at(0), dH: dH.at(0), initial: initial.at(0) };
}

/** Views of a tensor (T, B, slots, H), one per slot, each (T, B, H). */
export function slotViews({ shape: [steps, batch, slots, hidden], strides, offset }: View): View[] {
  return Array.from({ length: slots }, (_, slot) => ({
    shape: [steps, batch, hidden],
    strides: [strides[0], strides[1], strides[3]],
    offset: offset + slot * strides[2],
  }));
}

/** A mask (T, B), broadcast over units to (T, B, H). */
export function maskView({ shape: [steps, batch], strides, offset }: View, hidden: number): View {
  return { shape: [steps, batch, hidden], strides: [strides[0], strides[1], 0], offset };
}

/** A state (B, H), broadcast over steps to (T, B, H). */
export const stateView = (view: View, steps: number): View => broadcastView(view, [steps, ...view.shape]);

/** Names of the cotangents of a and b in the expressions of `slotGradients`. */
export const D_A = 'da';
export const D_B = 'db';

/** The cotangent of each slot, as an expression over the slots and the cotangents of a and b. */
export function slotGradients(step: LinearScanAttrs['step'], slots: number): Expr[] {
  const names = Array.from({ length: slots }, (_, slot) => inputName(slot));
  return derivative(step, [Expr.input(D_A), Expr.input(D_B)], names);
}

/** Checks that the inputs' shapes agree. @returns T, B, slots, H. */
function checkInputs(attrs: LinearScanAttrs, inputs: readonly Signature[]): number[] {
  const { sources, mask, initial } = scanOperands(attrs, inputs);
  const [steps, batch, , hidden] = sources[0].shape;
  const slots = sources.reduce((total, { shape }) => total + shape[2], 0);
  const fits = (got: Signature | undefined, expected: readonly number[]): boolean =>
    got === undefined || sameShape(got.shape, expected);
  if (
    !sources.every((source) => fits(source, [steps, batch, source.shape[2], hidden])) ||
    !fits(mask, [steps, batch]) ||
    !fits(initial, [batch, hidden])
  )
    throw new GatewiseError(
      'shape',
      `linear_scan: expected sources (T, B, slots, H)${mask === undefined ? '' : ', a mask (T, B)'}${initial === undefined ? '' : ', an initial state (B, H)'}, got ${inputs.map(({ shape }) => show(shape)).join(', ')}`,
    );
  if (slots > MAX_SLOTS || sources.length + attrs.operands.mask > 2)
    throw new GatewiseError(
      'unsupported',
      `linear_scan: expected at most ${MAX_SLOTS} slots of at most two sources, or of one and a mask; got ${slots} of ${sources.length}`,
    );
  return [steps, batch, slots, hidden];
}

export const linearScanOp: Op<LinearScanAttrs> = /* @__PURE__ */ defineOp({
  name: 'linear_scan',
  summary:
    'h_t = a_t · h_{t-1} + b_t for T steps, a and b expressions over slots (T, B, slots, H): h (T, B, H); optionally a mask (T, B), h_0 (B, H)',
  infer: (attrs, inputs) => {
    const [steps, batch, , hidden] = checkInputs(attrs, inputs);
    return [{ shape: [steps, batch, hidden], dtype: 'f32' }];
  },
  inPlace: ({ operands: { sources } }) =>
    Array.from({ length: sources }, (_, input) => ({ input, output: 0, must: false })),
  cost: ({ step }, _, [h]) => (countOperations(step) + 2) * sizeOf(h.shape),
  grad: (node, [dh]) => {
    if (dh === undefined) return [];
    const given = operandsOf(node.attrs.operands, node.inputs);
    const operands = { ...given, h: node.outputs, dH: [dh] };
    const [dSlots, dInitial] = applyNamed(linearScanBackwardOp, node.attrs, operands);
    const { sources, mask } = given;
    const counts = sources.map(({ shape }) => shape[2]);
    return [...split(dSlots, counts, 2), ...mask.map(() => undefined), dInitial];
  },
  tolerance: { absolute: 1e-5, relative: 2e-5 },
});

export const linearScanBackwardOp: Op<LinearScanAttrs> = /* @__PURE__ */ defineOp({
  name: 'linear_scan_backward',
  summary:
    'the gradient of linear_scan, a scan in reverse: d slots (T, B, slots, H) and d h_0 (B, H) from slots, mask, h, d h, h_0',
  infer: (attrs, inputs) => {
    const shape = checkInputs(attrs, inputs);
    const { initial } = scanOperands(attrs, inputs);
    return [{ shape, dtype: 'f32' }, ...(initial === undefined ? [] : [initial])];
  },
  inPlace: ({ operands: { sources } }) => (sources === 1 ? [{ input: 0, output: 0, must: false }] : []),
  cost: ({ step }, _, [{ shape }]) =>
    (countOperations([step[0], ...slotGradients(step, shape[2])]) + 3) * (sizeOf(shape) / shape[2]),
  // Second derivatives are rare, so this composes existing ops instead of a kernel.
  grad: ({ attrs, inputs }, cotangents) => {
    // Separate inputs: the derivative treats h and the sources as independent.
    const own = inputs.map(enter);
    return vjp(backwardOfOps(attrs, own), cotangents, own);
  },
  tolerance: { absolute: 1e-5, relative: 2e-5 },
});

/** Computes linear_scan_backward by a scan over its coefficients and elementwise ops. */
function backwardOfOps(attrs: LinearScanAttrs, inputs: readonly Value[]): Value[] {
  const { sources, mask, h, dH, initial } = scanOperands(attrs, inputs);
  if (h === undefined || dH === undefined)
    throw new GatewiseError('internal', 'linear_scan_backward: no h or d h');
  const [steps, batch, hidden] = h.shape;
  const slots = sources.flatMap((source) =>
    Array.from({ length: source.shape[2] }, (_, slot) => reshape(slice(source, 2, slot, slot + 1), h.shape)),
  );
  const counts = mask && reshape(mask, [steps, batch, 1]);
  const unless = (masked: number, x: Value): Value => (counts === undefined ? x : where(counts, x, masked));
  /** Shifts (T, B, H) by one step in the scan's order and puts the state before the first step in front. */
  const delay = (x: Value, reverse: boolean, first: Value = zeros([batch, hidden])): Value => {
    const others = steps === 1 ? [] : [reverse ? slice(x, 0, 1, steps) : slice(x, 0, 0, steps - 1)];
    const before = reshape(first, [1, batch, hidden]);
    return concat(reverse ? [...others, before] : [before, ...others]);
  };
  const a = unless(1, elementwise([attrs.step[0]], slots, h.shape)[0]);
  const passedBack = linearScan(a, mul(a, dH), { reverse: !attrs.reverse });
  const dB = add(dH, delay(passedBack, !attrs.reverse));
  const dA = mul(dB, delay(h, attrs.reverse, initial));
  const names = new Map([
    [D_A, Expr.input(inputName(slots.length))],
    [D_B, Expr.input(inputName(slots.length + 1))],
  ]);
  const dSlots = substitute(slotGradients(attrs.step, slots.length), names).map((expr) =>
    reshape(unless(0, elementwise([expr], [...slots, dA, dB], h.shape)[0]), [steps, batch, 1, hidden]),
  );
  const last = attrs.reverse ? steps - 1 : 0;
  return [
    concat(dSlots, 2),
    ...(initial === undefined ? [] : [reshape(slice(passedBack, 0, last, last + 1), [batch, hidden])]),
  ];
}

export interface LinearScanOptions {
  /** The state before the first step, (B, H); zeros where absent. */
  readonly initial?: Value;
  /** Scans from the last step to the first: h_t = a_t · h_{t+1} + b_t. */
  readonly reverse?: boolean;
}

/**
 * h_t = a_t · h_{t-1} + b_t, element by element; parallel over time where B·H elements alone leave the device idle.
 * The parallel form multiplies the a of neighbouring steps: if |a| stays above 1, that product may overflow before h does.
 * @param a f32 (T, B, H). @param b f32 (T, B, H).
 * @returns h at every step, (T, B, H).
 * @throws GatewiseError `argument`, `dtype` or `shape` for invalid inputs.
 */
export function linearScan(a: Value, b: Value, options: LinearScanOptions = {}): Value {
  expectValue('linearScan: a', a, 'f32');
  if (a.shape.length !== 3)
    throw new GatewiseError('shape', `linearScan: a must be (T, B, H), got ${show(a.shape)}`);
  expectValue('linearScan: b', b, 'f32', a.shape);
  const [steps, batch, hidden] = a.shape;
  const sources = [a, b].map((x) => reshape(x, [steps, batch, 1, hidden]));
  return linearScanOf([Expr.input(inputName(0)), Expr.input(inputName(1))], sources, options);
}

/**
 * As linearScan, with a and b of a step as expressions over the slots of `sources`.
 * @param step Over `in0`…, the slots of all sources in order. @param sources Each f32 (T, B, slots, H).
 * @param options.mask f32 (T, B): where it is 0, the step copies the state and ignores the sources.
 */
export function linearScanOf(
  step: LinearScanAttrs['step'],
  sources: readonly Value[],
  { initial, reverse = false, mask }: LinearScanOptions & { readonly mask?: Value } = {},
): Value {
  const [{ shape }] = sources;
  if (mask !== undefined) expectValue('linearScan: mask', mask, 'f32', shape.slice(0, 2));
  if (initial !== undefined) expectValue('linearScan: initial', initial, 'f32', [shape[1], shape[3]]);
  const operands = { sources, mask: mask ? [mask] : [], h: [], dH: [], initial: initial ? [initial] : [] };
  return applyNamed(linearScanOp, { reverse, step }, operands)[0];
}
