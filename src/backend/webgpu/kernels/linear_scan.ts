// The linear scan on a device: one dispatch, or two if the columns alone do not fill it. The first of two dispatches composes the
// steps of each chunk into one pair (a, b).
import { GatewiseError } from '../../../core/errors.ts';
import { sameView, type View } from '../../../core/view.ts';
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
/** Rows of the table of operands in the uniforms. */
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

/** Generates the WGSL that accesses tensors, and the table of operands that this WGSL reads. */
class OperandTable {
  readonly #nameOf: (region: Region) => string;
  readonly #views: View[] = [];

  /** @param nameOf The binding of a region. */
  constructor(nameOf: (region: Region) => string) {
    this.#nameOf = nameOf;
  }

  /** The WGSL of a tensor's element at `at`. */
  element(region: Region, view: View = region.view): string {
    const existing = this.#views.findIndex((other) => sameView(other, view));
    const row = existing >= 0 ? existing : this.#views.push(view) - 1;
    return `${this.#nameOf(region)}[${indexText(row, this.#views[row])}]`;
  }

  get uniforms(): OperandUniform[] {
    return operandTable(OPERANDS, new Map(this.#views.map(operandUniform).entries()));
  }
}

const lines = (...text: readonly (string | undefined)[]): string =>
  text.filter((line) => line !== undefined && line !== '').join('\n');

/** The operands of a pass and their WGSL. */
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

/** The WGSL of the slots of all sources, and of the condition that a step is masked. */
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
  const { sources, mask, initial } = scanOperands(attrs, inputs);
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
 * The backward pass scans in reverse. Its state is a_{t+1} · d_{t+1}, the gradient that step t + 1 passes back. The gradient
 * of h_t is in total d_t = d h_t + a_{t+1} · d_{t+1}, so a step multiplies the state by a_t and adds a_t · d h_t.
 */
function backwardDispatches(
  { attrs, inputs, outputs, scratch: [aggregates] }: Placed<LinearScanAttrs>,
  device: DeviceInfo,
): Dispatch[] {
  const [dSlots, dInitial] = outputs;
  const [steps, batch, count, hidden] = dSlots.view.shape;
  const { sources, mask, h, dH, initial } = scanOperands(attrs, inputs);
  if (h === undefined || dH === undefined)
    throw new GatewiseError('internal', 'linear_scan_backward: no h or d h');
  const pass: Pass = {
    reverse: !attrs.reverse,
    shape: [steps, batch, hidden],
    inputs,
    coefficientInputs: inputs.filter((region) => region !== initial && region !== h),
    outputs,
    coefficients: (table) => {
      const { slots, isMasked } = stepAccess(table, sources, mask, hidden);
      const d = table.element(dH);
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
          `  let d_b = ${table.element(dH)} + before;`,
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
