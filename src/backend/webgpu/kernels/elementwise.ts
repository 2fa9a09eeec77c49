// Elementwise expressions: one launch, or several if the views have more axes than a launch can address.
import { GatewiseError } from '../../../core/errors.ts';
import { sizeOf } from '../../../core/shape.ts';
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
  operandUniform,
  shareBindings,
} from './wgsl_expression.ts';

const inputNames = ['in0', 'in1', 'in2', 'in3', 'in4', 'in5', 'in6', 'in7'] as const;
const outputNames = ['out0', 'out1', 'out2', 'out3'] as const;
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
  const operands = [...outputs, ...inputs];
  const launches = launchesOf(operands.map(({ view }) => view));
  // All launches share one shader. An offset is left out if it is 0 in the last launch, whose offsets are largest.
  const views = launches[launches.length - 1];
  const { shape } = views[0];
  const { bindings, nameOf } = shareBindings(inputs, inputNames, outputs, outputNames);
  const element = (row: number): string => `${nameOf(operands[row])}[${indexText(row, views[row])}]`;
  const body = expressionBody(
    exprs,
    (i) => element(outputs.length + i),
    (results) => results.map((value, i) => `${element(i)} = ${value};`),
  );
  return [
    dispatch(kernel, {
      bindings,
      constants: { RANK: Math.max(1, shape.length) },
      splices: { element: `fn element(at: vec4u) {\n${body}\n}` },
      uniforms: launches.map((launch) => ({
        dims: four(shape, 1),
        size: sizeOf(shape),
        operands: launch.map(operandUniform),
      })),
      workgroups: gridFor(sizeOf(shape), 64),
    }),
  ];
}

/** The launches that copy `from` to `to`, which have the same shape. */
export function copyDispatch(from: Region, to: Region): Dispatch[] {
  return elementwiseDispatches({ exprs: [Expr.input(inputName(0))] }, [from], [to]);
}

/** The launches that set all elements of `to` to a number. */
export function fillDispatch(value: number, to: Region): Dispatch[] {
  return elementwiseDispatches({ exprs: [Expr.constant(value)] }, [], [to]);
}
