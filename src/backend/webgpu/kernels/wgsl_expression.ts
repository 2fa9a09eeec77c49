// Helpers for kernels with a spliced expression: uniforms of strided operands, shared bindings, the expression in WGSL, grids.
import { GatewiseError } from '../../../core/errors.ts';
import { collapse, transposeView, walk, type View } from '../../../core/view.ts';
import { type Expr, inputPosition } from '../../../expr/expr.ts';
import { toWGSL } from '../../../expr/wgsl.ts';
import type { Region } from '../../../plan/target.ts';
import { bindWhole, type Binding } from '../dispatch.ts';

type Four = readonly [number, number, number, number];

/** `Operand` of shaders/lib/operand.wgsl: a view with four axes. */
export interface OperandUniform {
  readonly strides: Four;
  readonly offset: number;
}

/** A list of up to four numbers, padded in front. */
export const four = (list: readonly number[], fill: number): Four => [
  list.at(-4) ?? fill,
  list.at(-3) ?? fill,
  list.at(-2) ?? fill,
  list.at(-1) ?? fill,
];

export function operandUniform(view: View): OperandUniform {
  return { strides: four(view.strides, 0), offset: view.offset };
}

/**
 * The WGSL of the element index of an operand at `at`. It leaves out axes of stride 0, factors of 1 and an offset of 0, so views
 * that differ in these have different pipelines. @param row The operand's row in `params.operands`.
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

/** The number of axes that an elementwise kernel can address in one launch. */
const MAX_AXES = 4;

/** Whether one launch can address all elements of these views, which share a shape. */
export function isOneLaunch(views: readonly View[]): boolean {
  return collapse(views)[0].shape.length <= MAX_AXES;
}

/**
 * Divides views of one shape into blocks that one launch can address. It merges adjacent axes where all views allow it. If more
 * than MAX_AXES remain, there is a launch for each index of the smallest ones; the last launch has the largest offsets.
 * @returns The views of each launch.
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
 * Assigns each region a binding. Regions of one buffer share a binding, and an input in the buffer of an output uses that of the
 * output: WebGPU forbids two bindings of a buffer if one of them is writable.
 */
export function shareBindings<Name extends string>(
  inputs: readonly Region[],
  inputNames: readonly Name[],
  outputs: readonly Region[],
  outputNames: readonly Name[],
): {
  readonly bindings: Partial<Record<Name, Binding>>;
  /** The binding of one of the regions. */
  readonly nameOf: (region: Region) => string;
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
  const nameOf = ({ buffer }: Region): string => {
    const name = byBuffer.get(buffer);
    if (name === undefined) throw new GatewiseError('internal', `buffer ${buffer} of a launch is not bound`);
    return name;
  };
  return { bindings, nameOf };
}

/**
 * The body of a WGSL function that evaluates expressions at `at`.
 * @param load The WGSL of the input at a position. @param finish The last statements, from the WGSL of the results.
 * @param named The WGSL of inputs that are no operands, by name.
 */
export function expressionBody(
  roots: readonly Expr[],
  load: (position: number) => string,
  finish: (results: readonly string[]) => readonly string[],
  named: Readonly<Record<string, string>> = {},
): string {
  const { statements, results } = toWGSL(roots, (name) => named[name] ?? load(inputPosition(name)));
  return [...statements, ...finish(results)].map((line) => `  ${line}`).join('\n');
}

/** The workgroups for `count` invocations: in x up to 32768, below WebGPU's limit of 65535, and beyond that in y. */
export function gridFor(count: number, workgroup: number): [number, number, number] {
  const groups = Math.ceil(count / workgroup);
  const x = Math.min(groups, 32768);
  return [x, Math.ceil(groups / x), 1];
}
