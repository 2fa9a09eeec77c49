// The direction of imports: the table of which folder may import which, and that the sources follow it.
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';

import { parseSync } from 'vite';
import { expect, test } from 'vitest';

// A folder may import from itself and from those listed. `src/backend/cpu` is in the folder `backend`.
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  expr: ['core'],
  cells: ['core', 'expr'],
  graph: ['core', 'expr'],
  ops: ['core', 'expr', 'cells', 'graph'],
  plan: ['core', 'expr', 'graph', 'ops'],
  backend: ['core', 'expr', 'cells', 'graph', 'ops', 'plan', 'shaders/gen'],
  nn: ['core', 'expr', 'cells', 'graph', 'ops'],
  io: ['core'],
  node: ['core'],
  runtime: ['core', 'expr', 'cells', 'graph', 'ops', 'plan', 'backend', 'nn', 'io'],
  tools: ['core', 'backend', 'plan', 'runtime'],
  train: ['core', 'expr', 'graph', 'ops', 'nn', 'io', 'runtime'],
  worker: ['core', 'backend', 'plan', 'nn', 'runtime', 'train'],
  index: ['core', 'expr', 'cells', 'graph', 'ops', 'plan', 'backend', 'nn', 'io', 'runtime'],
  'shaders/gen': ['core'],
};
const NODE_ONLY = 'node';

/** Paths from the project's root, with `/`, and their sources. */
type Sources = ReadonlyMap<string, string>;

function read(root: string, folder: string): [string, string][] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [
      posix.join(folder, name.replaceAll(sep, '/')),
      readFileSync(join(root, folder, name), 'utf8'),
    ]);
}

function folderOf(path: string): string {
  if (path.startsWith('shaders/gen/')) return 'shaders/gen';
  const [top, folder, ...rest] = path.split('/');
  if (top !== 'src') return top ?? path;
  return rest.length === 0 ? posix.basename(path, '.ts') : (folder ?? path);
}

/** The imports of a file, types and `import()` included, and whether it has an `export … from`. */
function importsOf(path: string, source: string): { specifiers: string[]; barrel: boolean } {
  const { module, errors } = parseSync(path, source);
  if (errors[0] !== undefined) throw new Error(`${path}: ${errors[0].message}`);
  // The parser also lists an `export { x }` of an imported x, at the position of its import.
  const passedOn = module.staticExports.filter(({ start }) => source.startsWith('export', start));
  const exported = passedOn.flatMap(({ entries }) =>
    entries.map(({ moduleRequest }) => moduleRequest?.value),
  );
  const called = [...source.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)].map((match) => match[1]);
  const specifiers = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...exported,
    ...called,
  ];
  return {
    specifiers: [...new Set(specifiers.filter((specifier) => specifier !== undefined))],
    barrel: exported.some((specifier) => specifier !== undefined),
  };
}

/** Every violation of the rules, one sentence each. */
function violations(sources: Sources): string[] {
  const found: string[] = [];
  const edges = new Map<string, string[]>();
  for (const [path, source] of sources) {
    const from = folderOf(path);
    const allowed = MAY_IMPORT[from];
    const { specifiers, barrel } = importsOf(path, source);
    const targets: string[] = [];
    edges.set(path, targets);
    if (allowed === undefined) found.push(`${path}: the folder ${from} is not in the table`);
    if (barrel && posix.basename(path) !== 'index.ts') found.push(`${path}: only an index.ts may re-export`);
    for (const specifier of specifiers) {
      if (!specifier.startsWith('.')) {
        if (specifier.startsWith('node:') && from === NODE_ONLY) continue;
        found.push(`${path}: imports ${specifier}, but the library depends on nothing`);
        continue;
      }
      const target = posix.join(posix.dirname(path), specifier);
      const to = folderOf(target);
      if (!sources.has(target)) found.push(`${path}: imports ${target}, which is not part of the library`);
      else if (to !== from && !allowed?.includes(to))
        found.push(`${path}: ${from} may not import from ${to}`);
      targets.push(target);
    }
  }
  return [...found, ...cycles(edges)];
}

function cycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, above: readonly string[]): void => {
    const start = above.indexOf(path);
    if (start >= 0) found.push(`cycle: ${[...above.slice(start), path].join(' → ')}`);
    if (start >= 0 || done.has(path)) return;
    for (const target of edges.get(path) ?? []) visit(target, [...above, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}

test('the library follows the table', () => {
  const root = join(import.meta.dirname, '../..');
  const sources = new Map([...read(root, 'src'), ...read(root, 'shaders/gen')]);
  expect(sources.size).toBeGreaterThan(0);
  expect(violations(sources)).toEqual([]);
});

test('the table has no cycle and names only its own folders', () => {
  const edges = new Map(Object.entries(MAY_IMPORT));
  expect(cycles(edges)).toEqual([]);
  for (const allowed of edges.values()) for (const folder of allowed) expect(edges.has(folder)).toBe(true);
});

const folders = Object.keys(MAY_IMPORT);
const fileIn = (folder: string): string => {
  if (folder === 'index') return 'src/index.ts';
  return folder.startsWith('shaders/') ? `${folder}/a.ts` : `src/${folder}/a.ts`;
};

test.each(folders)('%s may import from what the table lists and from nothing else', (from) => {
  for (const to of folders.filter((folder) => folder !== from)) {
    const specifier = posix.relative(posix.dirname(fileIn(from)), fileIn(to));
    const source = `import type { A } from '${specifier.startsWith('.') ? specifier : `./${specifier}`}';`;
    const sources = new Map([
      [fileIn(from), source],
      [fileIn(to), 'export type A = 1;'],
    ]);
    const breach = `${fileIn(from)}: ${from} may not import from ${to}`;
    expect(violations(sources)).toEqual(MAY_IMPORT[from]!.includes(to) ? [] : [breach]);
  }
});

test.each([
  ['a package', "import 'three';", 'src/core/a.ts: imports three, but the library depends on nothing'],
  ['Node', "import 'node:fs';", 'src/core/a.ts: imports node:fs, but the library depends on nothing'],
  [
    'a test',
    "import '../../test/a.ts';",
    'src/core/a.ts: imports test/a.ts, which is not part of the library',
  ],
  [
    'the page',
    "await import('../../demo/a.ts');",
    'src/core/a.ts: imports demo/a.ts, which is not part of the library',
  ],
  ['by a type', "type A = import('../expr/b.ts').A;", 'src/core/a.ts: core may not import from expr'],
  ['by a re-export', "export * from '../expr/b.ts';", 'src/core/a.ts: core may not import from expr'],
  ['a barrel', "export { A } from './c.ts';", 'src/core/a.ts: only an index.ts may re-export'],
  ['itself', "import './a.ts';", 'cycle: src/core/a.ts → src/core/a.ts'],
  ['a cycle', "import './d.ts';", 'cycle: src/core/a.ts → src/core/d.ts → src/core/a.ts'],
])('refused: %s', (_, source, breach) => {
  const sources = new Map([
    ['src/core/a.ts', source],
    ['src/core/c.ts', 'export const A = 1;'],
    ['src/core/d.ts', "import './a.ts';"],
    ['src/expr/b.ts', 'export type A = 1;'],
  ]);
  const others = violations(new Map([...sources, ['src/core/a.ts', '']]));
  expect(others).toEqual([]);
  expect(violations(sources)).toContain(breach);
});

test('refused: a folder that is not in the table', () => {
  expect(violations(new Map([['src/extra/a.ts', '']]))).toEqual([
    'src/extra/a.ts: the folder extra is not in the table',
  ]);
});

test('the node folder may import Node, and an index may re-export', () => {
  const sources = new Map([
    ['src/node/index.ts', "import 'node:fs'; export * from '../core/a.ts';"],
    ['src/core/a.ts', 'export const A = 1;'],
  ]);
  expect(violations(sources)).toEqual([]);
});
