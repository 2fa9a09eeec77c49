// Elementwise expressions: one launch, or several if the views have more axes than a launch can address.
import { GatewiseError } from '../../../core/errors.ts';
import { sizeOf } from '../../../core/shape.ts';
import type { View } from '../../../core/view.ts';
import { Expr, inputName } from '../../../expr/expr.ts';
import { elementwiseOp, type ElementwiseAttrs } from '../../../ops/elementwise.ts';
import type { Region } from '../../../plan/target.ts';
import { elementwise as kernel } from '../../../../shaders/gen/elementwise.ts';
import { dispatch, type Dispatch } from '../dispatch.ts';
import { defineKernel } from './kernel.ts';
import {
  expressionBody,
  four,
  gridFor,
  indexText,
  isOneLaunch,
  launchesOf,
  operandTable,
  operandUniform,
  shareBindings,
  type OperandUniform,
} from './wgsl_expression.ts';

const inputNames = ['in0', 'in1', 'in2', 'in3', 'in4', 'in5', 'in6'] as const;
const outputNames = ['out0', 'out1', 'out2', 'out3'] as const;
const FIRST_OUTPUT = inputNames.length;
export const MAX_INPUTS: number = inputNames.length;
export const MAX_OUTPUTS: number = outputNames.length;
/** WebGPU's default maxStorageBuffersPerShaderStage. */
export const MAX_BUFFERS = 8;

export const elementwise = defineKernel(elementwiseOp, {
  readsStrided: () => true,
  writesStrided: () => true,
  expression: {
    inputs: inputNames.length,
    outputs: outputNames.length,
    buffers: MAX_BUFFERS,
    canAddress: isOneLaunch,
  },
  legalize: ({ inputs, outputs }) => {
    if (inputs.length > inputNames.length || outputs.length > outputNames.length)
      throw new GatewiseError(
        'unsupported',
        `elementwise: expected at most ${inputNames.length} inputs and ${outputNames.length} outputs, got ${inputs.length} and ${outputs.length}`,
      );
    return undefined;
  },
  dispatches: ({ attrs, inputs, outputs }) => elementwiseDispatches(attrs, inputs, outputs),
});

function elementwiseDispatches(
  { exprs }: Pick<ElementwiseAttrs, 'exprs'>,
  inputs: readonly Region[],
  outputs: readonly Region[],
): Dispatch[] {
  const launches = launchesOf([...outputs, ...inputs].map(({ view }) => view));
  // All launches share one shader. An offset is left out if it is 0 in the last launch, whose offsets are largest.
  const views = launches[launches.length - 1];
  const { shape } = views[0];
  const { bindings, nameOf, outputNameOf } = shareBindings(inputs, inputNames, outputs, outputNames);
  const rows = (launch: readonly View[]): Map<number, OperandUniform> =>
    new Map(
      launch.map((view, i) => [
        i < outputs.length ? FIRST_OUTPUT + i : i - outputs.length,
        operandUniform(view),
      ]),
    );
  const body = expressionBody(
    exprs,
    (i) => `${nameOf(i)}[${indexText(i, views[outputs.length + i])}]`,
    (results) =>
      results.map((value, i) => `${outputNameOf(i)}[${indexText(FIRST_OUTPUT + i, views[i])}] = ${value};`),
  );
  return [
    dispatch(kernel, {
      bindings,
      constants: { RANK: Math.max(1, shape.length) },
      splices: { element: `fn element(at: vec4u) {\n${body}\n}` },
      uniforms: launches.map((launch) => ({
        dims: four(shape, 1),
        size: sizeOf(shape),
        operands: operandTable(inputNames.length + outputNames.length, rows(launch)),
      })),
      workgroups: gridFor(sizeOf(shape), 64),
    }),
  ];
}

/** The launches that copy `from` to `to`, which have the same shape. */
export function copyDispatch(from: Region, to: Region): Dispatch[] {
  return elementwiseDispatches({ exprs: [Expr.input(inputName(0))] }, [from], [to]);
}
