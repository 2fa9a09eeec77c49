// The list of every cell, for code that enumerates them: conformance tests, gradient checks, tables.
import type { Cell } from './cell.ts';
import { elmanRelu, elmanTanh, indrnn } from './elman.ts';
import { gru, gruResetBefore, minimalGatedUnit } from './gru.ts';
import { gruLayerNorm, lstmLayerNorm } from './layer_norm.ts';
import { lstm, lstmCoupled, lstmPeephole, lstmProjected, slstm } from './lstm.ts';
import { minGRU, minLSTM } from './min_rnn.ts';

export const allCells: readonly Cell[] = [
  elmanTanh,
  elmanRelu,
  lstm,
  gru,
  gruResetBefore,
  lstmPeephole,
  lstmCoupled,
  lstmProjected,
  minimalGatedUnit,
  lstmLayerNorm,
  gruLayerNorm,
  indrnn,
  slstm,
  minGRU,
  minLSTM,
];
