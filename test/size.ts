// Checks the project against its budget (test/budget.json): lines by folder, and bytes that an app downloads of each entry.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { build } from 'vite';

import budget from './budget.json' with { type: 'json' };

const root = join(import.meta.dirname, '..');

interface File {
  readonly path: string;
  readonly lines: number;
}

/** The files of a folder that are not generated, with their lines. */
function filesOf(folder: string): File[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => /\.(ts|wgsl|mjs|py)$/.test(path) && !/(^|\/)(gen|node_modules)\//.test(path))
    .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n').length - 1 }));
}

/** The bytes of an entry, minified and gzipped file by file as a server does. */
interface Bytes {
  /** Of the entry and what it imports at once. */
  readonly atOnce: number;
  /** Of the chunks that it can load later. */
  readonly later: number;
}

async function gzipBytes(entry: string): Promise<Bytes> {
  // An app build: a library build leaves minifying to the app.
  const built = await build({
    configFile: false,
    root,
    logLevel: 'warn',
    build: {
      write: false,
      minify: true,
      target: 'es2023',
      rolldownOptions: {
        input: join(root, entry),
        external: [/^node:/, 'webgpu'],
        preserveEntrySignatures: 'strict',
      },
    },
  });
  const chunks = (Array.isArray(built) ? built : [built]).flatMap((result) => {
    if (!('output' in result)) throw new Error('size: expected a finished build, got a watcher.');
    return result.output.flatMap((file) => (file.type === 'chunk' ? [file] : []));
  });
  const atOnce = new Set(chunks.filter(({ isEntry }) => isEntry).map(({ fileName }) => fileName));
  // A set also visits what is added to it meanwhile.
  for (const name of atOnce)
    for (const file of chunks.find(({ fileName }) => fileName === name)?.imports ?? []) atOnce.add(file);
  const sum = (isCounted: (name: string) => boolean): number =>
    chunks.reduce(
      (bytes, { fileName, code }) => bytes + (isCounted(fileName) ? gzipSync(code).length : 0),
      0,
    );
  return { atOnce: sum((name) => atOnce.has(name)), later: sum((name) => !atOnce.has(name)) };
}

const over: string[] = [];
const check = (what: string, is: number, most: number, unit: string): void => {
  console.log(`${what}: ${is} ${unit} of ${most}`);
  if (is > most) over.push(`${what} has ${is} ${unit}, at most ${most} are allowed`);
};
for (const [folder, most] of Object.entries(budget.lines)) {
  const files = filesOf(folder);
  check(
    folder,
    files.reduce((sum, { lines }) => sum + lines, 0),
    most,
    'lines',
  );
  for (const { path, lines } of files)
    if (lines > budget.linesInAFile)
      over.push(`${path} has ${lines} lines, at most ${budget.linesInAFile} are allowed: cut it in two`);
}
for (const [entry, most] of Object.entries(budget.gzipBytes)) {
  const { atOnce, later } = await gzipBytes(entry);
  check(`${entry}${later > 0 ? ` (and later ${later})` : ''}`, atOnce, most, 'bytes gzipped');
}

for (const line of over) console.error(`${line} (test/budget.json)`);
process.exitCode = over.length > 0 ? 1 : 0;
