// The linear scan on WebGPU: one launch if its B·H columns fill the device. Otherwise the steps are divided into chunks, and a first
// launch computes the aggregate of each chunk, its steps composed into one.
import { GatewiseError } from '../../../core/errors.ts';
import { sameView, type View } from '../../../core/view.ts';
import type { Signature } from '../../../graph/value.ts';
import { linearScanBackwardOp, linearScanOp } from '../../../ops/linear_scan.ts';
import type { Placed, Region } from '../../../plan/region.ts';
import { linear_scan } from '../../../../shaders/gen/linear_scan.ts';
import { linear_scan_aggregate } from '../../../../shaders/gen/linear_scan_aggregate.ts';
import {
  D_A,
  D_B,
  maskView,
  scanOperands,
  slotGradients,
  slotViews,
  stateView,
  type LinearScanAttrs,
} from '../../../ops/linear_scan_operands.ts';
import { chooseTile, GPU_DEVICE, type DeviceInfo } from '../device_info.ts';
import { bindWhole, dispatch, type Dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import {
  expressionBody,
  gridFor,
  indexText,
  operandTable,
  operandUniform,
  shareBindings,
  type OperandUniform,
} from './wgsl_expression.ts';

const inputNames = ['in0', 'in1', 'in2', 'in3', 'in4'] as const;
const outputNames = ['out0', 'out1'] as const;
const WORKGROUP = 64;
/** The rows of the table of operands in the uniforms. */
const OPERANDS = 16;

export const linearScan = defineKernel(linearScanOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  scratch: aggregateSizes,
  dispatches: linearScanDispatches,
});

export const linearScanBackward = defineKernel(linearScanBackwardOp, {
  readsStrided: () => true,
  scratch: aggregateSizes,
  dispatches: backwardDispatches,
});

/** Steps of a chunk below which its overhead exceeds the gain. */
const MIN_CHUNK = 8;

/**
 * Divides the steps into chunks: as few as fill the device. Both launches process the steps of a chunk, so two chunks would take as
 * long as one. The last chunk applies all earlier aggregates, so more than √(2T) chunks take longer again.
 */
function chunksFor(steps: number, columns: number, device: DeviceInfo): { chunk: number; chunks: number } {
  const counts = [1];
  for (let n = 4; n * n <= 2 * steps && n * MIN_CHUNK <= steps; n *= 2) counts.push(n);
  const chunk = Math.ceil(steps / chooseTile(counts, device, (n) => n * columns));
  return { chunk, chunks: Math.ceil(steps / chunk) };
}

/** Scratch memory for the aggregates: as many as a GPU needs, which is the most of all devices. */
function aggregateSizes(_: LinearScanAttrs, [source]: readonly Signature[]): number[] {
  const [steps, batch, , hidden] = source.shape;
  const columns = batch * hidden;
  const { chunks } = chunksFor(steps, columns, GPU_DEVICE);
  return chunks === 1 ? [] : [2 * (chunks - 1) * columns];
}

/** Generates the WGSL that accesses tensors, and the table of operands for the views that this WGSL reads. */
class OperandTable {
  readonly #nameOf: (region: Region) => string;
  readonly #views: View[] = [];

  /** @param nameOf The binding of a region. */
  constructor(nameOf: (region: Region) => string) {
    this.#nameOf = nameOf;
  }

  /** The WGSL of the element at `at`. */
  element(region: Region, view: View = region.view): string {
    const existing = this.#views.findIndex((other) => sameView(other, view));
    const row = existing >= 0 ? existing : this.#views.push(view) - 1;
    return `${this.#nameOf(region)}[${indexText(row, view)}]`;
  }

  get uniforms(): OperandUniform[] {
    return operandTable(OPERANDS, new Map(this.#views.map(operandUniform).entries()));
  }
}

const lines = (...text: readonly (string | undefined)[]): string =>
  text.filter((line) => line !== undefined && line !== '').join('\n');

/** A forward or backward pass: its operands and the WGSL of its splices. */
interface Pass {
  readonly reverse: boolean;
  /** (T, B, H). */
  readonly shape: readonly number[];
  readonly inputs: readonly Region[];
  /** The inputs that `coefficients` reads. */
  readonly coefficientInputs: readonly Region[];
  readonly outputs: readonly Region[];
  readonly coefficients: (table: OperandTable) => string;
  readonly splices: (table: OperandTable) => { readonly initial?: string; readonly store: string };
}

function passDispatches(pass: Pass, aggregates: Region | undefined, device: DeviceInfo): Dispatch[] {
  const { reverse, shape, inputs, coefficientInputs, outputs } = pass;
  const [steps, batch, units] = shape;
  const columns = batch * units;
  const { chunk, chunks } =
    aggregates === undefined ? { chunk: steps, chunks: 1 } : chunksFor(steps, columns, device);
  const [x, y] = gridFor(columns, WORKGROUP);
  const launch = (table: OperandTable) => ({
    constants: { WORKGROUP, REVERSE: reverse ? 1 : 0 },
    counts: { UNROLL: Math.min(4, chunk) },
    uniforms: { steps, units, columns, chunk, chunks, operands: table.uniforms },
  });
  const scan = (): Dispatch => {
    const { bindings, nameOf } = shareBindings(inputs, inputNames, outputs, outputNames);
    const table = new OperandTable((region) =>
      inputs.includes(region) ? nameOf(inputs.indexOf(region)) : outputNames[outputs.indexOf(region)],
    );
    const coefficients = pass.coefficients(table);
    const advance = 'fn advance(initial: f32, chunk: u32, column: u32) -> f32 {\n  return initial;\n}';
    const splices = { ...pass.splices(table), coefficients, ...(chunks === 1 ? { advance } : {}) };
    const all =
      chunks === 1 || aggregates === undefined
        ? bindings
        : { ...bindings, aggregates: bindWhole(aggregates) };
    return dispatch(linear_scan, { ...launch(table), bindings: all, splices, workgroups: [x, y, chunks] });
  };
  if (chunks === 1 || aggregates === undefined) return [scan()];
  const { bindings, nameOf } = shareBindings(coefficientInputs, inputNames, [aggregates], ['aggregates']);
  const table = new OperandTable((region) => nameOf(coefficientInputs.indexOf(region)));
  const splices = { coefficients: pass.coefficients(table) };
  return [
    dispatch(linear_scan_aggregate, { ...launch(table), bindings, splices, workgroups: [x, y, chunks - 1] }),
    scan(),
  ];
}

/** The WGSL of the slots of all sources, and of the condition that a step is isMasked. */
function stepAccess(
  table: OperandTable,
  sources: readonly Region[],
  mask: Region | undefined,
  hidden: number,
) {
  return {
    slots: sources.flatMap((source) => slotViews(source.view).map((view) => table.element(source, view))),
    isMasked: mask && `${table.element(mask, maskView(mask.view, hidden))} == 0.0`,
  };
}

function linearScanDispatches(
  { attrs, inputs, outputs, scratch: [aggregates] }: Placed<LinearScanAttrs>,
  device: DeviceInfo,
): Dispatch[] {
  const [out] = outputs;
  const { shape } = out.view;
  const { sources, mask, initial } = scanOperands(attrs, inputs, false);
  const pass: Pass = {
    reverse: attrs.reverse,
    shape,
    inputs,
    coefficientInputs: inputs.filter((region) => region !== initial),
    outputs,
    coefficients: (table) => {
      const { slots, isMasked } = stepAccess(table, sources, mask, shape[2]);
      return lines(
        'fn coefficients(at: vec4u) -> vec2f {',
        isMasked && `  if (${isMasked}) {\n    return vec2f(1.0, 0.0);\n  }`,
        expressionBody(
          attrs.step,
          (slot) => slots[slot],
          ([a, b]) => [`return vec2f(${a}, ${b});`],
        ),
        '}',
      );
    },
    splices: (table) => ({
      ...(initial && {
        initial: lines(
          'fn initial_state(at: vec4u) -> f32 {',
          `  return ${table.element(initial, stateView(initial.view, shape[0]))};`,
          '}',
        ),
      }),
      store: lines(
        'fn store(at: vec4u, before: f32, after: f32, last: bool) {',
        `  ${table.element(out)} = after;`,
        '}',
      ),
    }),
  };
  return passDispatches(pass, aggregates, device);
}

/**
 * The backward pass is a scan in the opposite direction. With the total cotangent of h_t, d_t = d h_t + a_{t+1} · d_{t+1}, its
 * state after step t is s_t = a_t · d_t, so s_t = a_t · s_{t+1} + a_t · d h_t.
 */
function backwardDispatches(
  { attrs, inputs, outputs, scratch: [aggregates] }: Placed<LinearScanAttrs>,
  device: DeviceInfo,
): Dispatch[] {
  const [dSlots, dInitial] = outputs;
  const [steps, batch, count, hidden] = dSlots.view.shape;
  const { sources, mask, h, dh, initial } = scanOperands(attrs, inputs, true);
  if (h === undefined || dh === undefined)
    throw new GatewiseError('internal', 'linear_scan_backward: no h or d h');
  const pass: Pass = {
    reverse: !attrs.reverse,
    shape: [steps, batch, hidden],
    inputs,
    coefficientInputs: inputs.filter((region) => region !== initial && region !== h),
    outputs,
    coefficients: (table) => {
      const { slots, isMasked } = stepAccess(table, sources, mask, hidden);
      const d = table.element(dh);
      return lines(
        'fn coefficients(at: vec4u) -> vec2f {',
        `  let d = ${d};`,
        isMasked && `  if (${isMasked}) {\n    return vec2f(1.0, d);\n  }`,
        expressionBody(
          [attrs.step[0]],
          (slot) => slots[slot],
          ([a]) => [`return vec2f(${a}, ${a} * d);`],
        ),
        '}',
      );
    },
    splices: (table) => {
      const { slots, isMasked } = stepAccess(table, sources, mask, hidden);
      const targets = slotViews(dSlots.view).map((view) => table.element(dSlots, view));
      const first = initial === undefined ? '0.0' : table.element(initial, stateView(initial.view, steps));
      return {
        store: lines(
          'fn h_at(at: vec4u) -> f32 {',
          `  return ${table.element(h)};`,
          '}',
          'fn store(at: vec4u, before: f32, after: f32, last: bool) {',
          dInitial &&
            `  if (last) {\n    ${table.element(dInitial, stateView(dInitial.view, steps))} = after;\n  }`,
          isMasked &&
            lines(`  if (${isMasked}) {`, ...targets.map((to) => `    ${to} = 0.0;`), '    return;', '  }'),
          `  var h = ${first};`,
          `  if (!last) {\n    h = h_at(at ${attrs.reverse ? '+' : '-'} vec4u(0u, 1u, 0u, 0u));\n  }`,
          `  let d_b = ${table.element(dh)} + before;`,
          '  let d_a = d_b * h;',
          expressionBody(
            slotGradients(attrs.step, count),
            (slot) => slots[slot],
            (results) => results.map((value, slot) => `${targets[slot]} = ${value};`),
            { [D_A]: 'd_a', [D_B]: 'd_b' },
          ),
          '}',
        ),
      };
    },
  };
  return passDispatches(pass, aggregates, device);
}
