// Holds the library to its budget (test/budget.json): lines of source, and what an app that imports all of it downloads.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { build } from 'vite';

import budget from './budget.json' with { type: 'json' };

const root = join(import.meta.dirname, '..');

/** The files written by hand below src and shaders, with their lines. */
function sources(): { path: string; lines: number }[] {
  return ['src', 'shaders'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => join(folder, name))
      .filter((path) => /\.(ts|wgsl)$/.test(path) && !path.startsWith(join('shaders', 'gen')))
      .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n').length - 1 })),
  );
}

/** The entry `gatewise`, minified, with every chunk it can load, gzipped one by one as a server would. */
async function bundleGzipBytes(): Promise<number> {
  // Built as an app would build it: a library build keeps its white space for the app's own minifier.
  const built = await build({
    configFile: false,
    root,
    logLevel: 'warn',
    build: {
      write: false,
      minify: true,
      target: 'es2023',
      rolldownOptions: { input: join(root, 'src/index.ts'), preserveEntrySignatures: 'strict' },
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

const files = sources();
const all = files.reduce((sum, file) => sum + file.lines, 0);
const longest = files.reduce((a, b) => (b.lines > a.lines ? b : a));
const bundle = await bundleGzipBytes();

const over = files
  .filter((file) => file.lines > budget.linesInAFile)
  .map(
    (file) =>
      `${file.path} has ${file.lines} lines, at most ${budget.linesInAFile} are allowed: cut it in two`,
  );
if (all > budget.linesInAll)
  over.push(`src and shaders have ${all} lines, at most ${budget.linesInAll} are allowed`);
if (bundle > budget.bundleGzipBytes) {
  over.push(`the bundle is ${bundle} bytes gzipped, at most ${budget.bundleGzipBytes} are allowed`);
}

for (const line of over) console.error(`${line} (test/budget.json)`);
console.log(
  `${all} lines, the longest file ${longest.path} (${longest.lines}), bundle ${(bundle / 1000).toFixed(1)} kB gzipped`,
);
process.exitCode = over.length > 0 ? 1 : 0;
