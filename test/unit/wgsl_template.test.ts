// The three directives of a WGSL file.
import { expect, test } from 'vitest';

import { GatewiseError } from '../../src/core/errors.ts';
import { expand, type Template } from '../../src/core/wgsl_template.ts';
import { kernels } from './kernels.ts';

const text = (...lines: string[]): string => lines.join('\n');

test('a file without directives is unchanged', () => {
  const code = text('fn f() {', '  // @compute is no directive here', '  return;', '}', '');
  expect(expand(code, {})).toBe(code);
});

test('a splice is replaced, or stays as it is', () => {
  const code = text('a', '// @splice body', 'own', '// @end', 'b');
  expect(expand(code, { splices: { body: 'x\ny' } })).toBe('a\nx\ny\nb');
  expect(expand(code, { splices: { other: 'x' } })).toBe('a\nown\nb');
});

test('an unrolled block is repeated with its number in place of its name', () => {
  const code = text('// @unroll R 3', 'sum_R += a[R * 4u] + R_SIZE + OTHER_ROW;', '// @end');
  expect(expand(code, {})).toBe(
    text(
      'sum_0 += a[0u * 4u] + R_SIZE + OTHER_ROW;',
      'sum_1 += a[1u * 4u] + R_SIZE + OTHER_ROW;',
      'sum_2 += a[2u * 4u] + R_SIZE + OTHER_ROW;',
    ),
  );
});

test('blocks can be nested', () => {
  const code = text('// @unroll R ROWS', 'row R', '  // @unroll C 2', '  x_R[C];', '  // @end', '// @end');
  expect(expand(code, { counts: { ROWS: 2 } })).toBe(
    text('row 0u', '  x_0[0u];', '  x_0[1u];', 'row 1u', '  x_1[0u];', '  x_1[1u];'),
  );
});

test('a count may depend on the copy of the outer block', () => {
  const code = text(
    '// @unroll P PARTS',
    'const SIZE_P = 1u;',
    '// @unroll C SIZE_P',
    'x_P_C;',
    '// @end',
    '// @end',
  );
  expect(expand(code, { counts: { PARTS: 2, SIZE_0: 2, SIZE_1: 1 } })).toBe(
    text('const SIZE_0 = 2u;', 'x_0_0;', 'x_0_1;', 'const SIZE_1 = 1u;', 'x_1_0;'),
  );
});

test('a count may be 0', () => {
  expect(expand(text('a', '// @unroll R ROWS', 'row R', '// @end', 'b'), { counts: { ROWS: 0 } })).toBe(
    'a\nb',
  );
});

test('a constant may be a count', () => {
  const code = text('const ROWS = 1u;', 'const OTHER = 1u;', 'let x = ROWS;');
  expect(expand(code, { counts: { ROWS: 8 } })).toBe(
    text('const ROWS = 8u;', 'const OTHER = 1u;', 'let x = ROWS;'),
  );
});

test('an unclosed block, an @end without a block and a missing count are errors', () => {
  const failing: [string, Template, RegExp][] = [
    [text('a', '// @end'), {}, /"\/\/ @end" closes nothing/],
    [text('// @splice x', 'a'), {}, /has no "\/\/ @end"/],
    [text('// @unroll R 2', '// @unroll C 2', 'a', '// @end'), {}, /has no "\/\/ @end"/],
    [text('// @unroll R ROWS', 'a', '// @end'), { counts: { COLUMNS: 2 } }, /no count given for "ROWS"/],
  ];
  for (const [code, template, message] of failing) {
    expect(() => expand(code, template)).toThrow(GatewiseError);
    expect(() => expand(code, template)).toThrow(message);
  }
});

test.each(kernels.map((kernel) => [kernel.name, kernel] as const))(
  '%s expands without leftover directives',
  (_, kernel) => {
    // A name such as SIZE_0 stands for those of all copies.
    const names = kernel.unrolls.flatMap((name) => [name, name.replace(/_0$/, '_1')]);
    const counts = Object.fromEntries(names.map((name) => [name, 2]));
    const expanded = expand(kernel.code, { counts });
    expect(expanded).not.toMatch(/@(splice|unroll|end|include)\b/);
    expect(expanded).toContain(`fn ${kernel.name}(`);
  },
);
