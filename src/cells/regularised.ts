// Zoneout and variational dropout: each derives a new cell from a given one.
import { GatewiseError, show } from '../core/errors.ts';
import { add, less, mul, where } from '../expr/arith.ts';
import { defineCell, type Cell } from './cell.ts';
import { derive } from './derived.ts';

/** The probability that a unit keeps its old value: one number for all states, or one for each state by name. */
export type ZoneoutRates = number | Readonly<Record<string, number>>;

/**
 * Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations", 2017. In training each unit of a
 * state keeps its old value with probability `rate`; in inference the state is the expectation, rate · old + (1 - rate) · new.
 */
export function withZoneout(cell: Cell, rates: ZoneoutRates, training: boolean): Cell {
  const rateOf = (state: string): number => (typeof rates === 'number' ? rates : (rates[state] ?? 0));
  checkZoneout('withZoneout', cell, rates);
  if (cell.states.every((state) => rateOf(state) === 0)) return cell;
  return derive(cell, `zoneout ${cell.states.map(rateOf).join()} ${training}`, () =>
    defineCell({
      ...cell.declaration,
      name: `${cell.name}_zoneout`,
      update: (gates, states, more) => {
        const next = cell.declaration.update(gates, states, more);
        return Object.fromEntries(
          Object.entries(next).map(([state, value]) => {
            const [rate, old] = [rateOf(state), states[state]];
            if (rate === 0) return [state, value];
            return [
              state,
              training
                ? where(less(more.random(), Math.fround(rate)), old, value)
                : add(mul(old, rate), mul(value, 1 - rate)),
            ];
          }),
        ) as typeof next;
      },
    }),
  );
}

/** Throws unless rates are in [0, 1) and name only states of the cell. */
export function checkZoneout(what: string, cell: Cell, rates: ZoneoutRates): void {
  const list = typeof rates === 'number' ? { zoneout: rates } : rates;
  if (typeof list !== 'object' || list === null)
    throw new GatewiseError(
      'argument',
      `${what}: zoneout must be a number or one for each state, got ${show(rates)}`,
    );
  for (const [name, rate] of Object.entries(list)) {
    if (typeof rates !== 'number' && !cell.states.includes(name))
      throw new GatewiseError(
        'argument',
        `${what}: zoneout names a state ${show(name)}; expected ${show(cell.states)}`,
      );
    if (typeof rate !== 'number' || !(rate >= 0 && rate < 1))
      throw new GatewiseError(
        'argument',
        `${what}: zoneout must be at least 0 and below 1, got ${show(rate)}`,
      );
  }
}

/**
 * Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", 2016: the recurrent
 * product reads h with some units dropped, the same ones at every step of a sequence.
 * @param drops False for inference: the cell without the dropout.
 */
export function withRecurrentDropout(cell: Cell, drops = true): Cell {
  if (cell.dropsRecurrent === drops) return cell;
  return derive(cell, `dropout ${drops}`, () =>
    defineCell({
      ...cell.declaration,
      name: drops ? `${cell.name}_dropout` : cell.name,
      dropsRecurrent: drops,
    }),
  );
}
