/// <reference types="vite/client" />
// Every op has samples, since conformance tests and gradient checks test what the samples contain.
import { expect, test } from 'vitest';

import { nodesOf, Value, type Op } from '../../src/graph/value.ts';
import { allOps } from '../../src/ops/index.ts';
import type { Cell } from '../../src/cells/cell.ts';
import { allCells, unusualCell } from '../all_cells.ts';
import { outputsOf } from '../gpu/sample.ts';
import { deviceSamples, samples } from '../gpu/samples/index.ts';

const modules: Record<string, Record<string, unknown>> = import.meta.glob('../../src/ops/*.ts', {
  eager: true,
});
const cellModules: Record<string, Record<string, unknown>> = import.meta.glob('../../src/cells/*.ts', {
  eager: true,
});
const isCell = (item: unknown): item is Cell =>
  typeof item === 'object' && item !== null && 'recurrentGates' in item;
const isOp = (item: unknown): item is Op =>
  typeof item === 'object' && item !== null && 'infer' in item && 'tolerance' in item;

test('every op that a module exports is in allOps', () => {
  const exported = Object.values(modules).flatMap((module) => Object.values(module).filter(isOp));
  expect(exported.map(({ name }) => name).toSorted()).toEqual(allOps.map(({ name }) => name).toSorted());
});

test('every op has samples', () => {
  expect(Object.keys(samples).toSorted()).toEqual(allOps.map(({ name }) => name).toSorted());
});

test('every sample of an op contains the op, and has its own name', () => {
  const all = [...Object.entries(samples), ...Object.entries(deviceSamples)].flatMap(([op, list]) =>
    list.map((sample) => ({ op, sample })),
  );
  const without = all.filter(({ op, sample }) => {
    const values = sample.inputs.map((input) => new Value(input));
    return !nodesOf(outputsOf(sample, values)).some((node) => node.op.name === op);
  });
  expect(without.map(({ op, sample }) => `${op}: ${sample.name}`)).toEqual([]);
  expect(new Set(all.map(({ op, sample }) => `${op}: ${sample.name}`)).size).toBe(all.length);
  expect(Object.values(samples).filter((list) => list.length === 0)).toEqual([]);
});

test('the list of cells is complete', () => {
  const names = allCells.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  // It has every cell that a file of the folder exports.
  const files = Object.values(cellModules).flatMap((module) => Object.values(module).filter(isCell));
  expect(names.toSorted()).toEqual([...new Set(files), unusualCell].map(({ name }) => name).toSorted());
});
