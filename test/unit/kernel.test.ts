// Uniforms: the offsets of every kernel against WGSL's rules ("Memory layout" and "Address space layout constraints"), and
// the bytes that are written.
import { expect, test } from 'vitest';

import { packUniforms, type Layout } from '../../src/core/kernel.ts';
import { kernels } from './kernels.ts';

const roundUp = (multiple: number, n: number): number => Math.ceil(n / multiple) * multiple;

/** Alignment and size by the rules, and every member whose offset breaks them. */
function measure(layout: Layout, path: string, wrong: string[]): { align: number; size: number } {
  if (layout.kind === 'struct') {
    let end = 0;
    let align = 16;
    for (const [name, member] of Object.entries(layout.members)) {
      const own = measure(member.layout, `${path}.${name}`, wrong);
      const offset = roundUp(own.align, end);
      if (member.offset !== offset) wrong.push(`${path}.${name} at ${member.offset}, expected ${offset}`);
      end = offset + own.size;
      align = Math.max(align, own.align);
    }
    return { align, size: roundUp(align, end) };
  }
  if (layout.kind === 'array') {
    const of = measure(layout.of, `${path}[]`, wrong);
    const stride = roundUp(of.align, of.size);
    if (layout.stride !== stride) wrong.push(`${path} has stride ${layout.stride}, expected ${stride}`);
    // In the uniform address space an array's stride is a multiple of 16.
    if (stride % 16 !== 0) wrong.push(`${path}: stride ${stride} is not allowed in a uniform`);
    return { align: Math.max(16, of.align), size: stride * layout.count };
  }
  const size = 4 * layout.width;
  return { align: layout.width === 3 ? 16 : size, size };
}

test('there are kernels', () => expect(kernels.length).toBeGreaterThanOrEqual(10));

test.each(kernels.map((kernel) => [kernel.name, kernel] as const))(
  '%s: uniforms follow the rules',
  (_, kernel) => {
    const wrong: string[] = [];
    const { size } = measure(kernel.uniforms.layout, 'params', wrong);
    expect(wrong).toEqual([]);
    expect(kernel.uniforms.size).toBeGreaterThanOrEqual(roundUp(16, size));
  },
);

test('a member at a wrong offset is found', () => {
  const u32 = { kind: 'u32', width: 1 } as const;
  const wrong: string[] = [];
  measure(
    {
      kind: 'struct',
      members: { a: { offset: 0, layout: u32 }, b: { offset: 4, layout: { kind: 'u32', width: 3 } } },
    },
    'params',
    wrong,
  );
  measure({ kind: 'array', count: 2, stride: 4, of: u32 }, 'list', wrong);
  expect(wrong).toEqual(['params.b at 4, expected 16', 'list: stride 4 is not allowed in a uniform']);
});

test.each(kernels.map((kernel) => [kernel.name, kernel] as const))(
  '%s: every binding has its own number',
  (_, kernel) => {
    const numbers = Object.values(kernel.bindings).map(({ binding }) => binding);
    expect(new Set([...numbers, kernel.uniforms.binding]).size).toBe(numbers.length + 1);
  },
);

test('words, vectors, arrays and structs are written at their offsets, and nothing else is', () => {
  const layout: Layout = {
    kind: 'struct',
    members: {
      count: { offset: 0, layout: { kind: 'u32', width: 1 } },
      shift: { offset: 4, layout: { kind: 'i32', width: 1 } },
      pair: { offset: 8, layout: { kind: 'f32', width: 2 } },
      rows: {
        offset: 16,
        layout: {
          kind: 'array',
          count: 2,
          stride: 32,
          of: {
            kind: 'struct',
            members: {
              strides: { offset: 0, layout: { kind: 'u32', width: 4 } },
              offset: { offset: 16, layout: { kind: 'u32', width: 1 } },
            },
          },
        },
      },
    },
  };
  const bytes = new Uint8Array(8 + 80 + 8).fill(0xee);
  packUniforms(new DataView(bytes.buffer), 8, layout, {
    count: 0xfffffffe,
    shift: -2,
    pair: [0.5, -1.5],
    rows: [
      { strides: [1, 2, 3, 4], offset: 5 },
      { strides: [6, 7, 8, 9], offset: 10 },
    ],
  });
  const view = new DataView(bytes.buffer, 8);
  expect(view.getUint32(0, true)).toBe(0xfffffffe);
  expect(view.getInt32(4, true)).toBe(-2);
  expect([view.getFloat32(8, true), view.getFloat32(12, true)]).toEqual([0.5, -1.5]);
  const words = (from: number, count: number): number[] =>
    Array.from({ length: count }, (_, i) => view.getUint32(from + 4 * i, true));
  expect(words(16, 5)).toEqual([1, 2, 3, 4, 5]);
  expect(words(48, 5)).toEqual([6, 7, 8, 9, 10]);
  const untouched = 0xeeeeeeee;
  expect(words(36, 3)).toEqual([untouched, untouched, untouched]);
  expect(bytes.subarray(0, 8).every((byte) => byte === 0xee)).toBe(true);
});
