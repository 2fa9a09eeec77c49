// What the kernels with a spliced expression share: the operands' uniforms and the WGSL of the expression.
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

/** Right-aligned four axes; axes in front are 1 wide with stride 0. */
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
 * The WGSL of the index of operand `row` at `at`: only the axes that move it, and no product for a stride of 1. What is
 * left out is part of the text, so views of another kind are another pipeline.
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

/** A row of uniforms that the kernel never reads, for operands that are not there. */
const absent: OperandUniform = { strides: [0, 0, 0, 0], offset: 0 };

export function operandTable(size: number, rows: ReadonlyMap<number, OperandUniform>): OperandUniform[] {
  return Array.from({ length: size }, (_, i) => rows.get(i) ?? absent);
}

/** The axes that a kernel which goes element by element addresses in one launch. */
const MAX_AXES = 4;

/** Whether one launch walks these views of one shape together. */
export function isOneLaunch(views: readonly View[]): boolean {
  return collapse(views)[0].shape.length <= MAX_AXES;
}

/**
 * Views that are walked together, with jointly merged axes, once for each launch: where more than MAX_AXES are left, the
 * smallest are walked launch by launch. The last launch has the largest offsets.
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
 * Gives each region a binding name: regions of one buffer share a binding, and a region that an output overwrites is
 * read through the output's, since a buffer cannot be bound twice where it is written.
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

/** The body of a WGSL function that evaluates expressions at `at`; `named` gives inputs that are not operands. */
export function expressionBody(
  roots: readonly Expr[],
  load: (position: number) => string,
  finish: (results: readonly string[]) => readonly string[],
  named: Readonly<Record<string, string>> = {},
): string {
  const { statements, results } = toWGSL(roots, (name) => named[name] ?? load(inputPosition(name)));
  return [...statements, ...finish(results)].map((line) => `  ${line}`).join('\n');
}

/** Workgroups for a grid of `count` invocations, folded over y where x alone would pass the limit of 65535. */
export function gridFor(count: number, workgroup: number): [number, number, number] {
  const groups = Math.ceil(count / workgroup);
  const x = Math.min(groups, 32768);
  return [x, Math.ceil(groups / x), 1];
}
