// A small recurrent layer of any cell, with numbers for all that it takes.
import { Recurrent, type Cell, type RecurrentOptions } from '../src/index.ts';
import {
  draw,
  drawCotangents,
  drawParameters,
  drawStates,
  type LayerInput,
  type LayerResult,
  type Named,
} from './layer_run.ts';

export const INPUTS = 3;

export const smallLayer = (cell: Cell, options: Partial<RecurrentOptions>): Recurrent =>
  new Recurrent('Recurrent', cell, {
    inputSize: INPUTS,
    hiddenSize: 5,
    ...(cell.projects ? { projSize: 2 } : {}),
    ...options,
  });

export const drawInput = (layer: Recurrent, steps = 4, batch = 3, seed = 1): LayerInput => ({
  x: draw(seed, layer.batchFirst ? [batch, steps, INPUTS] : [steps, batch, INPUTS]),
  parameters: drawParameters(layer, seed + 9),
  states: drawStates(layer, batch, seed + 99),
  cotangents: drawCotangents(layer, steps, batch, seed + 199),
});

/** Output and final states. */
export const outputsOf = ({ output, finals }: LayerResult): Named => ({ output, ...finals });
