// The programs in the README are programs: they type-check against the library.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```ts\n([^]*?)^```/gm)].map(
  ([, code]) => code,
);

/** What the compiler says of the programs, each a module of its own. */
function check(programs: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatewise-readme-'));
  try {
    programs.forEach((code, i) => writeFileSync(join(folder, `block${i}.ts`), `${code}\nexport {};\n`));
    const compilerOptions = {
      noEmit: true,
      noUnusedLocals: false,
      typeRoots: [join(root, 'node_modules/@types'), join(root, 'node_modules')],
      paths: { gatewise: [join(root, 'src/index.ts')], 'gatewise/node': [join(root, 'src/node/index.ts')] },
    };
    const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    return '';
  } catch (error) {
    return error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('every program of the README type-checks', () => {
  expect(blocks.length).toBeGreaterThan(3);
  expect(check(blocks)).toBe('');
});

test('a program that is wrong would be seen', () => {
  expect(
    check(["import { createRuntime } from 'gatewise';\nawait createRuntime({ backend: 'cuda' });"]),
  ).toContain('cuda');
});
