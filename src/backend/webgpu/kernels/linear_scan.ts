// The linear scan on a device: one dispatch, or two if the columns alone do not fill it. The first of two dispatches composes the
// steps of each chunk into one pair (a, b).
import { GatewiseError } from '../../../core/errors.ts';
import { sameView, type View } from '../../../core/view.ts';
import { mul } from '../../../expr/arith.ts';
import { Expr } from '../../../expr/expr.ts';
import type { Signature } from '../../../graph/value.ts';
import {
  D_A,
  D_B,
  type LinearScanAttrs,
  linearScanBackwardOp,
  linearScanOp,
  maskView,
  scanOperands,
  slotGradients,
  slotViews,
  stateView,
} from '../../../ops/linear_scan.ts';
import type { Placed, Region } from '../../../plan/target.ts';
import { linear_scan } from '../../../../shaders/gen/linear_scan.ts';
import { linear_scan_aggregate } from '../../../../shaders/gen/linear_scan_aggregate.ts';
import { chooseTile, GPU_DEVICE, type DeviceInfo } from '../device_info.ts';
import { bindWhole, dispatch, type Dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import { expressionBody, gridFor, indexText, operandUniform, shareBindings } from './wgsl_expression.ts';

const inputNames = ['in0', 'in1', 'in2', 'in3', 'in4'] as const;
const outputNames = ['out0', 'out1'] as const;
const WORKGROUP = 64;

export const linearScan = defineKernel(linearScanOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  scratch: aggregateSizes,
  dispatches: scanDispatches,
});

export const linearScanBackward = defineKernel(linearScanBackwardOp, {
  readsStrided: () => true,
  scratch: aggregateSizes,
  dispatches: scanDispatches,
});

/** Fewer steps per chunk cost more than they save. */
const MIN_CHUNK = 8;

/**
 * The number of chunks that the steps are cut into: the smallest that fills the device. Both dispatches read a chunk's steps,
 * so two chunks take as long as one. The last chunk composes all before it, so more than √(2T) chunks take longer.
 */
function chunksFor(steps: number, columns: number, device: DeviceInfo): { chunk: number; chunks: number } {
  const counts = [1];
  for (let n = 4; n * n <= 2 * steps && n * MIN_CHUNK <= steps; n *= 2) counts.push(n);
  const chunk = Math.ceil(steps / chooseTile(counts, device, (n) => n * columns));
  return { chunk, chunks: Math.ceil(steps / chunk) };
}

/** Scratch sizes for the chunks' aggregates, if any, computed for a GPU, which uses the most chunks. */
function aggregateSizes(_: LinearScanAttrs, [source]: readonly Signature[]): number[] {
  const [steps, batch, , hidden] = source.shape;
  const columns = batch * hidden;
  const { chunks } = chunksFor(steps, columns, GPU_DEVICE);
  return chunks === 1 ? [] : [2 * (chunks - 1) * columns];
}

/**
 * One launch scans; where the columns alone do not fill the device, another before it composes the steps of each chunk.
 *
 * The backward pass scans in reverse. Its state is a_{t+1} · d_{t+1}, the gradient that step t + 1 passes back. The gradient
 * of h_t is in total d_t = d h_t + a_{t+1} · d_{t+1}, so a step multiplies the state by a_t and adds a_t · d h_t.
 */
function scanDispatches(
  { attrs, inputs, outputs, scratch: [aggregates] }: Placed<LinearScanAttrs>,
  device: DeviceInfo,
): Dispatch[] {
  const { sources, h, dH, initial } = scanOperands(attrs, inputs);
  const [steps, batch, , units] = sources[0].view.shape;
  const columns = batch * units;
  const { chunk, chunks } =
    aggregates === undefined ? { chunk: steps, chunks: 1 } : chunksFor(steps, columns, device);
  const [x, y] = gridFor(columns, WORKGROUP);
  const launch = ({ views }: ScanAccess) => ({
    constants: { WORKGROUP, REVERSE: attrs.reverse === (dH === undefined) ? 1 : 0 },
    counts: { UNROLL: Math.min(4, chunk) },
    uniforms: { steps, units, columns, chunk, chunks, operands: views.map(operandUniform) },
  });
  const scan = (chunkSums?: Region): Dispatch => {
    const { bindings, nameOf } = shareBindings(inputs, inputNames, outputs, outputNames);
    const access = scanAccess(attrs, inputs, nameOf);
    const { state, element } = access;
    const splices = {
      coefficients: coefficients(access),
      ...(dH === undefined && initial !== undefined
        ? { initial: `fn initial_state(at: vec4u) -> f32 {\n  return ${state(initial)};\n}` }
        : {}),
      store:
        dH === undefined
          ? `${STORE}\n  ${element(outputs[0])} = after;\n}`
          : storeGradients(access, attrs.reverse, outputs),
      ...(chunkSums === undefined ? { advance: NO_CHUNKS } : {}),
    };
    return dispatch(linear_scan, {
      ...launch(access),
      bindings,
      optional: { aggregates: chunkSums && bindWhole(chunkSums) },
      splices,
      workgroups: [x, y, chunks],
    });
  };
  if (chunks === 1 || aggregates === undefined) return [scan()];
  const read = inputs.filter((region) => region !== initial && region !== h);
  const { bindings, nameOf } = shareBindings(read, inputNames, [aggregates], ['aggregates']);
  const access = scanAccess(attrs, inputs, nameOf);
  const splices = { coefficients: coefficients(access) };
  return [
    dispatch(linear_scan_aggregate, { ...launch(access), bindings, splices, workgroups: [x, y, chunks - 1] }),
    scan(aggregates),
  ];
}

const NO_CHUNKS = 'fn advance(initial: f32, chunk: u32, column: u32) -> f32 {\n  return initial;\n}';

const lines = (...text: readonly (string | undefined)[]): string =>
  text.filter((line) => line !== undefined && line !== '').join('\n');

/** The WGSL that accesses the tensors of a scan, and the views that it addresses: the rows of `params.operands`. */
function scanAccess(attrs: LinearScanAttrs, inputs: readonly Region[], nameOf: (region: Region) => string) {
  const operands = scanOperands(attrs, inputs);
  const { sources, mask } = operands;
  const [steps, , , hidden] = sources[0].view.shape;
  const views: View[] = [];
  /** A tensor's element at `at`. */
  const element = (region: Region, view: View = region.view): string => {
    const existing = views.findIndex((other) => sameView(other, view));
    const row = existing >= 0 ? existing : views.push(view) - 1;
    return `${nameOf(region)}[${indexText(row, views[row])}]`;
  };
  const slotsOf = (region: Region): string[] => slotViews(region.view).map((view) => element(region, view));
  const slots = sources.flatMap(slotsOf);
  return {
    ...operands,
    step: attrs.step,
    views,
    element,
    slotsOf,
    state: (region: Region): string => element(region, stateView(region.view, steps)),
    slot: (index: number): string => slots[index],
    /** The condition that a step is masked. */
    isMasked: mask && `${element(mask, maskView(mask.view, hidden))} == 0.0`,
  };
}

type ScanAccess = ReturnType<typeof scanAccess>;

function coefficients({ dH, step, element, isMasked, slot }: ScanAccess): string {
  const [a] = step;
  return lines(
    'fn coefficients(at: vec4u) -> vec2f {',
    dH && `  let d = ${element(dH)};`,
    isMasked && `  if (${isMasked}) {\n    return vec2f(1.0, ${dH ? 'd' : '0.0'});\n  }`,
    expressionBody(
      dH ? [a, mul(a, Expr.input(D_B))] : step,
      slot,
      (results) => [`return vec2f(${results.join(', ')});`],
      { [D_B]: 'd' },
    ),
    '}',
  );
}

const STORE = 'fn store(at: vec4u, before: f32, after: f32, last: bool) {';

function storeGradients(access: ScanAccess, reverse: boolean, [dSlots, dInitial]: readonly Region[]): string {
  const { h, dH, initial, step, element, slotsOf, state, isMasked, slot } = access;
  if (h === undefined || dH === undefined)
    throw new GatewiseError('internal', 'linear_scan_backward: no h or d h');
  const targets = slotsOf(dSlots);
  return lines(
    'fn h_at(at: vec4u) -> f32 {',
    `  return ${element(h)};`,
    '}',
    STORE,
    dInitial && `  if (last) {\n    ${state(dInitial)} = after;\n  }`,
    isMasked &&
      lines(`  if (${isMasked}) {`, ...targets.map((to) => `    ${to} = 0.0;`), '    return;', '  }'),
    `  var h = ${initial === undefined ? '0.0' : state(initial)};`,
    `  if (!last) {\n    h = h_at(at ${reverse ? '+' : '-'} vec4u(0u, 1u, 0u, 0u));\n  }`,
    `  let d_b = ${element(dH)} + before;`,
    '  let d_a = d_b * h;',
    expressionBody(
      slotGradients(step, targets.length),
      slot,
      (results) => results.map((value, i) => `${targets[i]} = ${value};`),
      { [D_A]: 'd_a', [D_B]: 'd_b' },
    ),
    '}',
  );
}
