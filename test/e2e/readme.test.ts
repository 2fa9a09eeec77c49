// The programs in the READMEs type-check against the library, and the tutorial's prints the output that the README shows.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const tsx = join(root, 'node_modules/tsx/dist/cli.mjs');

/** The code blocks of one language in a document. */
function blocksOf(document: string, kind: string): string[] {
  const text = readFileSync(join(root, document), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${kind}\\n([^]*?)^\`\`\``, 'gm'))].map(([, block]) => block);
}

const blocks = blocksOf('README.md', 'ts');
const tutorial = blocksOf('src/cells/README.md', 'ts').join('\n');

/** Calls back with a folder that has the programs, each as a module, and a configuration to compile them. */
function withPrograms(programs: readonly string[], use: (folder: string) => string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatewise-readme-'));
  try {
    programs.forEach((code, i) => writeFileSync(join(folder, `block${i}.ts`), `${code}\nexport {};\n`));
    const compilerOptions = {
      noEmit: true,
      noUnusedLocals: false,
      typeRoots: [join(root, 'node_modules/@types'), join(root, 'node_modules')],
      paths: { gatewise: [join(root, 'src/index.ts')], 'gatewise/*': [join(root, 'src/*/index.ts')] },
    };
    const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    return use(folder);
  } catch (error) {
    if (!(error instanceof Error && 'stdout' in error && 'stderr' in error)) return String(error);
    return `${String(error.stdout)}${String(error.stderr)}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The compiler's output for the programs. */
const check = (programs: readonly string[]): string =>
  withPrograms(programs, (folder) => {
    execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    return '';
  });

/** The output of a program, or its error. */
const run = (program: string): string =>
  withPrograms([program], (folder) =>
    execFileSync(
      process.execPath,
      [tsx, '--tsconfig', join(folder, 'tsconfig.json'), join(folder, 'block0.ts')],
      { encoding: 'utf8' },
    ),
  );

/** Lines of text. Losses and plans lose their numbers and variants, which depend on the adapter and the planner. */
const lines = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/  (subgroup|step|split_k|persistent_streamed)  /, '  variant  '))
    .map((line) => (/^step|  /.test(line) ? line.replace(/\d+(\.\d+)?( [kM]?B?\b)?/g, '#') : line));

test('every program of the READMEs type-checks', () => {
  expect(blocks.length).toBeGreaterThan(3);
  expect(tutorial).toContain('defineCell');
  expect(check([...blocks, tutorial])).toBe('');
});

test('the tutorial prints the output that the README shows', () => {
  const printed = run(tutorial);
  expect(lines(printed)).toEqual(blocksOf('src/cells/README.md', 'text').flatMap(lines));
  const losses = [...printed.matchAll(/loss (\S+)/g)].map(([, loss]) => Number(loss));
  expect(losses.at(-1)).toBeLessThan(losses[0] / 20);
});

test('a wrong program is found', () => {
  expect(
    check(["import { createRuntime } from 'gatewise';\nawait createRuntime({ backend: 'cuda' });"]),
  ).toContain('cuda');
});
