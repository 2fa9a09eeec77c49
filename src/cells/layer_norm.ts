// Layer normalisation within a cell: Ba, Kiros and Hinton, "Layer normalization", 2016.
import { add, div, mul, sqrt, square, sub, type Arith } from '../expr/arith.ts';

const EPS = 1e-5;

/**
 * Values of one row, normalised to mean 0 and variance 1 over all units of all of them together.
 * @param mean the cell's mean over units.
 */
export function normalise<T extends Arith<T>>(mean: (x: T) => T, values: readonly T[]): T[] {
  const average = (list: readonly T[]): T =>
    mean(
      mul(
        list.reduce((a, b) => add(a, b)),
        1 / list.length,
      ),
    );
  const middle = average(values);
  const deviations = values.map((value) => sub(value, middle));
  const variance = average(deviations.map((deviation) => square(deviation)));
  return deviations.map((deviation) => div(deviation, sqrt(add(variance, EPS))));
}
