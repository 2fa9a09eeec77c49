// Every cell that is declared, for whoever enumerates them: conformance tests, gradient checks, tables.
import type { Cell } from './cell.ts';
import { elmanRelu, elmanTanh } from './elman.ts';
import { gru } from './gru.ts';
import { gruLayerNorm } from './gru_layer_norm.ts';
import { gruResetBefore } from './gru_reset_before.ts';
import { indrnn } from './indrnn.ts';
import { lstm } from './lstm.ts';
import { lstmCoupled } from './lstm_coupled.ts';
import { lstmLayerNorm } from './lstm_layer_norm.ts';
import { lstmPeephole } from './lstm_peephole.ts';
import { lstmProjected } from './lstm_projected.ts';
import { minGRU } from './min_gru.ts';
import { minLSTM } from './min_lstm.ts';
import { minimalGatedUnit } from './minimal_gated_unit.ts';
import { slstm } from './slstm.ts';

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
