// The recurrent loops of a plan.
import type { Plan } from '../src/tools/index.ts';

/** The number of pseudo-layers of each loop: directions, or the layers of a wavefront. */
export const loopsOf = ({ steps }: Pick<Plan, 'steps'>): number[] =>
  steps.flatMap(({ op, attrs }) =>
    op.name === 'recurrent' ? [(attrs as { pseudoLayers: number }).pseudoLayers] : [],
  );
