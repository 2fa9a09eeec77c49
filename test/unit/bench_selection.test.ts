// What the benchmark is asked for: the address says what the options say, and a wrong name lists the right ones.
import { expect, test } from 'vitest';

import { presets } from '../../bench/results.ts';
import {
  defaultSet,
  parsePasses,
  readSelection,
  setNames,
  settingsFor,
  workloadsOf,
  writeSelection,
  type Selection,
} from '../../bench/selection.ts';

const read = (query: string): Selection => readSelection(new URLSearchParams(query));

test('an empty address asks for everyone, with the set that suits the adapter', () => {
  expect(read('')).toEqual({ only: [], peers: [], reversed: false, seed: presets.full.seed });
  expect(defaultSet({ software: true })).toBe('quick');
  expect(defaultSet({ software: false })).toBe('full');
});

test.each<Selection>([
  { only: [], peers: [], reversed: false, seed: 0 },
  { set: 'gpu', only: ['long', 'trial-gru'], peers: ['tfjs', 'gatewise'], reversed: true, seed: 4294967295 },
])('what is written is read: %o', (selection) => {
  expect(readSelection(writeSelection(selection))).toEqual(selection);
});

test.each([
  ['set=fast', 'set: expected one of quick, full, gpu, trial, got "fast"'],
  ['peers=tfjs,torch', 'contestant: expected one of gatewise, gatewise-cpu, tfjs, onnx, jax, got "torch"'],
  ['only=longer', /^workload: expected one of sequence-lstm, .*long, .*trial-lstm.*, got "longer"$/],
  ['seed=-1', 'seed: expected a whole number from 0 to 4294967295, got "-1"'],
  ['seed=4294967296', 'seed: expected a whole number from 0 to 4294967295, got "4294967296"'],
])('%s is an error that says what there is', (query, message) => {
  expect(() => read(query)).toThrow(message);
});

test('passes are few', () => {
  expect([parsePasses('1'), parsePasses('10')]).toEqual([1, 10]);
  for (const text of ['0', '11', '1.5', '-1', 'x', ''])
    expect(() => parsePasses(text)).toThrow(`passes: expected a whole number from 1 to 10, got "${text}"`);
});

test('every set has workloads, and the larger ones hold the smaller or more of the same', () => {
  const [quick, full, gpu, trial] = setNames.map((set) => workloadsOf(set).map(({ name }) => name));
  expect(quick!.length).toBeGreaterThan(0);
  expect(trial!.length).toBeGreaterThan(0);
  // The quick set has a shorter training step, as TF.js takes half a minute for the whole one.
  const lengthened = quick!.map((name) => name.replace(/-short$/, ''));
  expect(lengthened).not.toEqual(quick);
  expect(full).toEqual(expect.arrayContaining(lengthened));
  expect(gpu).toEqual(expect.arrayContaining(full!));
  expect(gpu!.length).toBeGreaterThan(full!.length);
});

test('a trial takes moments whatever the set; the seed and the order are as asked', () => {
  const more = { seed: 7, reversed: true };
  expect(settingsFor('full', workloadsOf('trial'), more)).toEqual({ ...presets.trial, ...more });
  expect(settingsFor('quick', workloadsOf('quick'), more)).toEqual({ ...presets.quick, ...more });
  expect(settingsFor('gpu', workloadsOf('gpu'), more)).toEqual({ ...presets.full, ...more });
  expect(settingsFor('quick', [...workloadsOf('trial'), ...workloadsOf('quick')], more)).toEqual({
    ...presets.quick,
    ...more,
  });
});
