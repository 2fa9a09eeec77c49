// Bindings of launches: which may be absent, and what a missing one is.
import { expect, test } from 'vitest';

import { dispatch } from '../../src/backend/webgpu/dispatch.ts';
import { shareBindings } from '../../src/backend/webgpu/kernels/wgsl_expression.ts';
import { denseView } from '../../src/core/view.ts';
import { fake_quantize } from '../../shaders/gen/fake_quantize.ts';

const region = (buffer: number) => ({ buffer, view: denseView([2, 3]), dtype: 'f32' }) as const;
const launch = { uniforms: { columns: 3, size: 6 }, workgroups: [1, 1, 1] } as const;

test('an optional binding that is undefined is left out; any other is an internal error', () => {
  const bindings = { weight: region(0), out: region(1) };
  const { bindings: bound } = dispatch(fake_quantize, {
    ...launch,
    bindings,
    optional: { largest: undefined },
  });
  expect(Object.keys(bound)).toEqual(['weight', 'out']);
  expect(() => dispatch(fake_quantize, { ...launch, bindings: { ...bindings, largest: undefined } })).toThrow(
    expect.objectContaining({ code: 'internal', message: expect.stringMatching(/fake_quantize.*largest/) }),
  );
});

test('a region that is not bound has no name', () => {
  const { nameOf } = shareBindings([region(0)], ['a'], [region(1)], ['b']);
  expect(nameOf(region(0))).toBe('a');
  expect(() => nameOf(region(2))).toThrow(expect.objectContaining({ code: 'internal' }));
});
