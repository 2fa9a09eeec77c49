// Units that see of the past themselves alone: Li et al., "Independently recurrent neural network (IndRNN)", 2018.
import { add, mul, relu } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { inputOnly } from './declaration.ts';

export const indrnn: Cell = /* @__PURE__ */ defineCell({
  name: 'indrnn',
  gates: [inputOnly('a')],
  states: ['h'],
  weights: { weight_u: 'uniform' },
  update: ({ a }, { h }, { weight_u }) => ({ h: relu(add(a, mul(weight_u, h))) }),
});
