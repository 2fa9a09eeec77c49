// The choices of tuning, and their store, which may have any contents, fail, or be shared with another page.
import { describe, expect, test } from 'vitest';

import * as tools from '../../src/tools/index.ts';
import { createRuntime, matmul, Value, type TuningStore } from '../../src/index.ts';
import { GPU_DEVICE } from '../../src/backend/webgpu/device_info.ts';
import { printPlan } from '../../src/plan/print.ts';
import { fastestOf, parseTuning } from '../../src/backend/tuning.ts';
import { Launcher } from '../../src/backend/webgpu/launches.ts';
import { untunedKinds } from '../../src/backend/webgpu/tune.ts';
import { TuningTable } from '../../src/runtime/tuning_table.ts';
import { planOf, planText } from '../webgpu_plan.ts';

class FakeStore implements TuningStore {
  readonly texts = new Map<string, string>();
  getItem(name: string): string | null {
    return this.texts.get(name) ?? null;
  }
  setItem(name: string, text: string): void {
    this.texts.set(name, text);
  }
}

describe('the default variant is replaced', () => {
  const names = ['default', 'other', 'third'] as const;
  test.each([
    ['by one that is clearly faster', { default: 1, other: 0.9, third: 1.2 }, 'other'],
    ['by the fastest of several', { default: 1, other: 0.9, third: 0.5 }, 'third'],
    ['not by one that is hardly faster', { default: 1, other: 0.96, third: 2 }, 'default'],
    ['not by one that is slower', { default: 1, other: 2, third: 3 }, 'default'],
  ])('%s', (_, seconds, expected) => expect(fastestOf([...names], seconds)).toBe(expected));
});

describe('the list of untuned kinds', () => {
  const args = [
    [64, 64],
    [64, 64],
    [60, 64],
  ].map((shape) => new Value({ shape, dtype: 'f32' }));
  const [x, w, v] = args;
  const plan = planOf(args, [matmul(matmul(x, w), v, { transposeB: true }), matmul(x, x)]);
  const names = ['tiled', 'registers'];

  test('has each kind once, without those with a choice', () => {
    expect(untunedKinds(plan, new Launcher(GPU_DEVICE), {})).toEqual([
      { kind: 'matmul:64x64x64:kn', step: 0, names },
      { kind: 'matmul:64x64x64:kk', step: 1, names },
    ]);
    const untuned = (chosen: string): string[] =>
      untunedKinds(plan, new Launcher(GPU_DEVICE), { 'matmul:64x64x64:kn': chosen }).map(({ kind }) => kind);
    expect(untuned('registers')).toEqual(['matmul:64x64x64:kk']);
    expect(untuned('no variant any more')).toHaveLength(2);
  });

  test('has no kind with a single variant', () => {
    const small = [new Value({ shape: [12, 12], dtype: 'f32' })];
    expect(untunedKinds(planOf(small, [matmul(small[0], small[0])]), new Launcher(GPU_DEVICE), {})).toEqual(
      [],
    );
  });
});

test('a plan is printed with the variants that a device runs', () => {
  const x = new Value({ shape: [64, 64], dtype: 'f32' });
  const plan = planOf([x], [matmul(x, x)]);
  expect(printPlan(plan, [{ dispatches: 7, variant: 'split_k' }])).toMatchInlineSnapshot(`
    "step  op      variant  buffers                                 dispatches   FLOP    bytes
    0     matmul  split_k  arg0[64×64], arg0[64×64] → out0[64×64]           7  524 k  49.2 kB
          total                                                             7  524 k  49.2 kB
    0 temporary buffers, 0 B: arg0 16.4 kB, out0 16.4 kB"
  `);
  expect(printPlan(plan, [{ dispatches: 1 }])).toBe(planText(plan));
});

describe('the table', () => {
  test('is stored by adapter', () => {
    const store = new FakeStore();
    const table = new TuningTable(store);
    table.add('one', { a: 'x' });
    table.add('other', { a: 'y' });
    table.add('one', { b: 'z' });
    expect(table.tuning).toEqual({ one: { a: 'x', b: 'z' }, other: { a: 'y' } });
    const later = new TuningTable(store);
    expect(later.tuning).toEqual(table.tuning);
    expect(later.choicesFor('one')).toEqual({ a: 'x', b: 'z' });
    expect(later.choicesFor('unknown')).toEqual({});
  });

  test('does not overwrite what another page has written meanwhile', () => {
    const store = new FakeStore();
    const [here, there] = [new TuningTable(store), new TuningTable(store)];
    there.add('adapter', { a: 'x' });
    here.add('adapter', { b: 'y' });
    expect(new TuningTable(store).tuning).toEqual({ adapter: { a: 'x', b: 'y' } });
  });

  test('writes nothing without a choice', () => {
    const store = new FakeStore();
    new TuningTable(store).add('adapter', {});
    expect(store.texts.size).toBe(0);
  });

  test('works without a store, and with one that fails', () => {
    const failing: TuningStore = {
      getItem: () => {
        throw new Error('denied');
      },
      setItem: () => {
        throw new Error('full');
      },
    };
    for (const store of [undefined, failing]) {
      const table = new TuningTable(store);
      table.add('adapter', { a: 'x' });
      expect(table.choicesFor('adapter')).toEqual({ a: 'x' });
    }
  });

  test.each([
    ['nothing', null, {}],
    ['no JSON', '{"adapter"', {}],
    ['a list', '[1]', {}],
    ['a number', '1', {}],
    ['some invalid choices', '{"a": 1, "b": {"k": "v", "l": 2, "m": null}, "c": null}', { b: { k: 'v' } }],
  ])('reads the valid choices of %s', (_, text, expected) => expect(parseTuning(text)).toEqual(expected));
});

describe('on the CPU', () => {
  test('there is nothing to tune', async () => {
    using runtime = await createRuntime({ backend: 'cpu', tuning: { store: new FakeStore() } });
    const product = runtime.compile(matmul);
    expect(await tools.tune(product, [[1, 2]], [[3], [4]])).toEqual([]);
    expect(runtime.tuning).toEqual({});
    expect(await product([[1, 2]], [[3], [4]]).read()).toEqual(Float32Array.of(11));
  });

  test.each([
    ['another name', { storage: new FakeStore() }, /option "storage" is unknown; expected store/],
    [
      'no store',
      { store: new Map() },
      /tuning: store must be a store such as localStorage, with getItem and setItem, got Map/,
    ],
    ['null', null, /tuning: expected options \{ store \}, got null/],
    ['true', true, /tuning: expected options \{ store \}, got true/],
  ])('%s is refused', async (_, tuning, message) => {
    await expect(createRuntime({ backend: 'cpu', ...({ tuning } as object) })).rejects.toThrow(message);
  });
});
