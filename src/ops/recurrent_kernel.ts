// The weights of a recurrent layer as its kernels read them: packed per phase, before the loop.
import type { Phase } from '../cells/phases.ts';
import { bindDense, dispatch, type Dispatch, type Region } from '../graph/launch.ts';
import { pack_weight } from '../../shaders/gen/pack_weight.ts';
import { readingsOf, type Reading } from './phase_wgsl.ts';
import { RecurrentLayout, type RecurrentAttrs } from './recurrent_layout.ts';
import { gridFor } from './wgsl_expression.ts';

/** Where each phase's weights lie, packed, in vec4s. */
export interface Packing {
  readonly phases: readonly { readonly readings: readonly Reading[]; readonly starts: readonly number[] }[];
  readonly perDirection: number;
}

const quadsOf = (depth: number): number => Math.ceil(depth / 4);

export function packingOf(layout: RecurrentLayout, phases: readonly Phase[]): Packing {
  let next = 0;
  const list = phases.map((phase) => {
    const readings = readingsOf(layout, phase);
    const starts = readings.map(({ depth, takes }) => {
      const start = next;
      next += quadsOf(depth) * takes.length * layout.width(phase.width);
      return start;
    });
    return { readings, starts };
  });
  return { phases: list, perDirection: next };
}

/** Elements of the packed weights of a pass. */
export function packedSize(attrs: RecurrentAttrs, backward: boolean): number {
  const layout = new RecurrentLayout(attrs);
  const phases = backward ? layout.program.backward : layout.forward;
  return Math.max(4, 4 * layout.directions * packingOf(layout, phases).perDirection);
}

/** A part of a matrix and where it goes; neighbours at equal distances are packed by one launch. */
interface Piece {
  readonly matrix: number;
  readonly part: number;
  readonly transposed: boolean;
  readonly depth: number;
  readonly units: number;
  readonly takes: number;
  readonly start: number;
}

export function packDispatches(
  attrs: RecurrentAttrs,
  layout: RecurrentLayout,
  phases: readonly Phase[],
  { phases: packed, perDirection }: Packing,
  matrices: readonly (readonly Region[])[],
  scratch: Region,
): Dispatch[] {
  const pieces = packed.flatMap(({ readings, starts }, p) =>
    readings.flatMap(({ takes, depth }, i) =>
      takes.map(({ term }, take): Piece => {
        const units = layout.width(phases[p].width);
        return {
          matrix: layout.matrices.findIndex(({ name }) => name === term.matrix.slice(0, 2)),
          part: Number.parseInt(term.matrix.slice(3), 10),
          transposed: term.matrix.endsWith("'"),
          depth,
          units,
          takes: takes.length,
          start: starts[i] + take * units,
        };
      }),
    ),
  );
  const runs: Piece[][] = [];
  for (const piece of pieces) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const alike =
      last !== undefined &&
      (['matrix', 'transposed', 'depth', 'units', 'takes'] as const).every((key) => last[key] === piece[key]);
    const step = run !== undefined && run.length > 1 ? run[1].start - run[0].start : undefined;
    if (
      alike &&
      piece.part === last.part + 1 &&
      (step ?? piece.start - last.start) === piece.start - last.start
    )
      run?.push(piece);
    else runs.push([piece]);
  }
  return matrices.flatMap((own, direction) =>
    runs.map((run) => {
      const [{ matrix, part, transposed, depth, units, takes, start }] = run;
      const [, columns] = layout.matrices[matrix].shape;
      const size = attrs.hidden * columns;
      return dispatch(pack_weight, {
        bindings: { weight: bindDense(own[matrix]), packed: bindDense(scratch) },
        uniforms: {
          first: part * size,
          start: direction * perDirection + start,
          blocks: run.length,
          depth,
          units,
          strides: transposed ? [size, columns, 1] : [size, 1, columns],
          packed: [run.length > 1 ? run[1].start - start : 0, takes * units, 1],
        },
        workgroups: gridFor(run.length * quadsOf(depth) * units, 64),
      });
    }),
  );
}
