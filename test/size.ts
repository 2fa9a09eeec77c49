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

/** The size of an entry with every chunk that it can load, minified and gzipped file by file as a server does. */
async function gzipBytes(entry: string): Promise<number> {
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
  const outputs = Array.isArray(built) ? built : [built];
  let bytes = 0;
  for (const result of outputs) {
    if (!('output' in result)) throw new Error('size: expected a finished build, got a watcher.');
    for (const file of result.output) if (file.type === 'chunk') bytes += gzipSync(file.code).length;
  }
  return bytes;
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
for (const [entry, most] of Object.entries(budget.gzipBytes))
  check(entry, await gzipBytes(entry), most, 'bytes gzipped');

for (const line of over) console.error(`${line} (test/budget.json)`);
process.exitCode = over.length > 0 ? 1 : 0;
