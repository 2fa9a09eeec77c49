// Shared by the kernels with a spliced expression: operand uniforms and the expression's WGSL.
import { collapse, transposeView, walk, type View } from '../../../core/view.ts';
import type { Expr } from '../../../expr/expr.ts';
import { inputPosition } from '../../../expr/operands.ts';
import { toWGSL } from '../../../expr/wgsl.ts';
import type { Region } from '../../../plan/region.ts';
import { bindWhole, type Binding } from '../dispatch.ts';

type Four = readonly [number, number, number, number];

export interface OperandUniform {
  readonly strides: Four;
  readonly offset: number;
}

/** Pads to four axes on the left, with size 1 and stride 0. */
export function four(list: readonly number[], fill: number): Four {
  const [x = fill, y = fill, z = fill, w = fill] = [
    ...Array.from({ length: 4 - list.length }, () => fill),
    ...list,
  ];
  return [x, y, z, w];
}

export function operandUniform(view: View): OperandUniform {
  return { strides: four(view.strides, 0), offset: view.offset };
}

/**
 * WGSL for the index of operand `row` at `at`. It omits axes with stride 0 and products with stride 1. What it omits is part of
 * the text, so views that differ in it compile to different pipelines.
 */
export function indexText(row: number, { strides, offset, shape }: View): string {
  const axes = ['x', 'y', 'z', 'w'].slice(4 - shape.length);
  const terms = axes.flatMap((axis, i) => {
    if (strides[i] === 0) return [];
    return [strides[i] === 1 ? `at.${axis}` : `at.${axis} * params.operands[${row}].strides.${axis}`];
  });
  const start = offset === 0 ? [] : [`params.operands[${row}].offset`];
  return [...start, ...terms].join(' + ') || '0u';
}

/** A row of uniforms for an absent operand; the kernel never reads it. */
const absent: OperandUniform = { strides: [0, 0, 0, 0], offset: 0 };

export function operandTable(size: number, rows: ReadonlyMap<number, OperandUniform>): OperandUniform[] {
  return Array.from({ length: size }, (_, i) => rows.get(i) ?? absent);
}

/** The most axes that one launch of an elementwise kernel addresses. */
const MAX_AXES = 4;

/** Whether one launch can walk these views, which share a shape. */
export function isOneLaunch(views: readonly View[]): boolean {
  return collapse(views)[0].shape.length <= MAX_AXES;
}

/**
 * Merges the axes of views that are walked together and returns the views of each launch. If more than MAX_AXES axes remain,
 * there is one launch per index of the smallest ones. The last launch has the largest offsets.
 */
export function launchesOf(views: readonly View[]): View[][] {
  const collapsed = collapse(views);
  const sizes = collapsed[0].shape;
  const bySize = sizes.map((_, axis) => axis).sort((a, b) => sizes[b] - sizes[a]);
  const inner = bySize.slice(0, MAX_AXES).sort((a, b) => a - b);
  const outer = bySize.slice(MAX_AXES);
  const blocks = collapsed.map((view) => transposeView(view, inner));
  const launches: View[][] = [];
  walk(
    collapsed.map((view) => transposeView(view, outer)),
    (offsets) =>
      launches.push(blocks.map(({ shape, strides }, i) => ({ shape, strides, offset: offsets[i] }))),
  );
  return launches;
}

/**
 * Names a binding for each region. Regions of one buffer share a binding, and an input in an output's buffer uses the output's,
 * because WebGPU forbids a second binding of a writable buffer.
 */
export function shareBindings<Name extends string>(
  inputs: readonly Region[],
  inputNames: readonly Name[],
  outputs: readonly Region[],
  outputNames: readonly Name[],
): {
  bindings: Partial<Record<Name, Binding>>;
  nameOf: (input: number) => string;
  outputNameOf: (output: number) => string;
} {
  const byBuffer = new Map<number, Name>();
  const bindings: Partial<Record<Name, Binding>> = {};
  const bind = (region: Region, name: Name): void => {
    if (byBuffer.has(region.buffer)) return;
    byBuffer.set(region.buffer, name);
    bindings[name] = bindWhole(region);
  };
  outputs.forEach((region, i) => bind(region, outputNames[i]));
  inputs.forEach((region, i) => bind(region, inputNames[i]));
  return {
    bindings,
    nameOf: (input) => byBuffer.get(inputs[input].buffer) ?? inputNames[input],
    outputNameOf: (output) => byBuffer.get(outputs[output].buffer) ?? outputNames[output],
  };
}

/** The body of a WGSL function that evaluates expressions at `at`; `named` maps inputs that are not operands. */
export function expressionBody(
  roots: readonly Expr[],
  load: (position: number) => string,
  finish: (results: readonly string[]) => readonly string[],
  named: Readonly<Record<string, string>> = {},
): string {
  const { statements, results } = toWGSL(roots, (name) => named[name] ?? load(inputPosition(name)));
  return [...statements, ...finish(results)].map((line) => `  ${line}`).join('\n');
}

/** Workgroups for a grid of `count` invocations, folded into y beyond the limit of 65535 along x. */
export function gridFor(count: number, workgroup: number): [number, number, number] {
  const groups = Math.ceil(count / workgroup);
  const x = Math.min(groups, 32768);
  return [x, Math.ceil(groups / x), 1];
}
