// The module of recurrent cases: its list, the bytes of a case, and errors for folders without cases.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as listed from 'virtual:recurrent-cases';

import { createServer } from 'vite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { allCases, recurrentCases } from '../setup/cases_plugin.ts';

let root: string;
let more: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gatewise-cases-'));
  more = join(root, 'more');
  mkdirSync(join(root, 'test/fixtures/deep'), { recursive: true });
  mkdirSync(more);
  writeFileSync(join(root, 'test/fixtures/b.safetensors'), Uint8Array.of(1, 2, 255));
  writeFileSync(join(root, 'test/fixtures/deep/a.safetensors'), '');
  writeFileSync(join(root, 'test/fixtures/notes.txt'), '');
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

const names = (extra?: string): string[] => allCases(root, extra).map(({ name }) => name);

test('lists the fixtures, then the folder of RECURRENT_CASES', () => {
  expect(names('')).toEqual(['b', 'deep/a']);
  writeFileSync(join(more, 'c.safetensors'), '');
  expect(names(more)).toEqual(['b', 'deep/a', 'c']);
});

test('refuses a folder that does not exist or has no case', () => {
  expect(() => names(join(root, 'gone'))).toThrow(/expected a folder, but .*gone does not exist/);
  expect(() => names(more)).toThrow(/expected \*\.safetensors below .*more, found none/);
});

test('a case loads its own bytes; one that cannot be read does not affect others', async () => {
  vi.stubEnv('RECURRENT_CASES', '');
  mkdirSync(join(root, 'test/fixtures/folder.safetensors'));
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'silent',
    server: { middlewareMode: true, ws: false },
    plugins: [recurrentCases(root)],
  });
  try {
    const { cases } = (await server.ssrLoadModule('virtual:recurrent-cases')) as typeof listed;
    expect(cases.map(({ name }) => name)).toEqual(['b', 'deep/a', 'folder']);
    expect(await cases[0]!.load()).toEqual(Uint8Array.of(1, 2, 255));
    expect(await cases[1]!.load()).toEqual(new Uint8Array());
    await expect(cases[2]!.load()).rejects.toThrow(/folder\.safetensors cannot be read: .*EISDIR/);
  } finally {
    await server.close();
  }
});
