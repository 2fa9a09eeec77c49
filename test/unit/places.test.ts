// Places of a cell's program: one object each, found by its expression, and products that can read them.
import { expect, test } from 'vitest';

import { isVector, Place, placeOf, placesIn, weightPart, weightPartsOf } from '../../src/cells/places.ts';
import { cotangents, Expr, MEAN, type UnitMap } from '../../src/expr/expr.ts';

const slot = Place.of('slot', 12);
const [h, factors] = [Place.of('state').expr, Place.of('keep').expr];

test('a place is one object, and its expression finds it', () => {
  expect(Place.of('slot', 12)).toBe(slot);
  expect(placeOf(Expr.input('slot12'))).toBe(slot);
  expect(placeOf(Expr.input('another input'))).toBeUndefined();
  expect(placesIn([Expr.operation('mul', [h, slot.expr]), slot.expr]).map(String)).toEqual([
    'state0',
    'slot12',
  ]);
});

test('products read places in memory, and h times its dropout factors', () => {
  const kinds = ['slot', 'following', 'above', 'state', 'after', 'below'] as const;
  expect(kinds.filter((kind) => !isVector(Place.of(kind).expr))).toEqual([]);
  const others = ['carry', 'output', 'bias', 'weight', 'keep', 'noise', 'active'] as const;
  expect(others.filter((kind) => isVector(Place.of(kind).expr))).toEqual([]);
  expect(isVector(Expr.operation('mul', [h, factors]))).toBe(true);
  expect(isVector(Expr.operation('mul', [h, h]))).toBe(false);
});

test('the adjoint of a product has the transposed matrix, that of a mean is a mean', () => {
  const part = weightPart('hh', 2);
  expect(part.adjoint()).toBe(weightPart('hh', 2, true));
  expect(part.adjoint().adjoint()).toBe(part);
  const d = Expr.input('d');
  const through = (map: UnitMap): string => String(cotangents([Expr.across([map], [h])], [d])(h));
  expect(through(part)).toBe("hh.2'·d");
  expect(through(MEAN)).toBe('mean·d');
  expect(weightPartsOf(Expr.across([MEAN], [h]))).toBeUndefined();
});
