// Every example of demo/examples runs to its end and prints its numbers.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const folder = 'demo/examples';
const examples = readdirSync(join(root, folder)).filter((name) => name.endsWith('.ts'));

// A number that each example prints. A test below fails for an example without one.
const FIGURES: Record<string, readonly RegExp[]> = {
  'elman_step.ts': [/W_hx +-0\.02979\d+$/m, /W_hh +-?0$/m, /W_yh +-0\.01750\d+$/m],
  'elman_sequence.ts': [
    /^loss +by hand 3\.6377\d\d, built in 3\.6377\d\d$/m,
    ...['W_xh', 'W_hh', 'W_hy'].map(
      (name) =>
        new RegExp(
          `${name} +by hand +((?:-?\\d+\\.\\d{4}\\d\\d ?)+)\\n +built in +(?:-?\\d+\\.\\d+ ?)+$`,
          'm',
        ),
    ),
  ],
  'lstm_gradients.ts': ['weight_ih_l0 +80×10', 'weight_hh_l0 +80×20', 'bias_ih_l0 +80', 'bias_hh_l0 +80'].map(
    (row) => new RegExp(`^${row} +largest \\d\\.\\d+, off by at most \\d\\.\\de-[5-9]$`, 'm'),
  ),
  'lstm_by_hand.ts': [
    /^One step\n +four linear layers +\d+ dispatches, off by .*\n +one linear layer, cut in 4 +\d+ dispatches, off by .*\n +the built-in layer +\d+ dispatches$/m,
    /^32 steps\n(?: .*(?: \d+ dispatches).*\n){3}/m,
  ],
};

/** The output and exit status of a program. */
function run(file: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', file], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
  });
}

test('every example is checked', () => {
  expect(examples.toSorted()).toEqual(Object.keys(FIGURES).toSorted());
});

test.each(examples)('%s', (name) => {
  const { status, stdout, stderr } = run(`${folder}/${name}`);
  expect(status, `${stdout}${stderr}`).toBe(0);
  expect(stdout).toMatch(/^On WebGPU: /);
  expect(stdout).not.toContain('No WebGPU');
  for (const figure of FIGURES[name] ?? []) expect(stdout).toMatch(figure);
});

test.each(examples)('%s does nothing when it is imported', (name) => {
  const importing = `await import('./${folder}/${name}'); console.log('imported');`;
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', importing],
    { cwd: root, encoding: 'utf8', timeout: 120_000 },
  );
  expect(status).toBe(0);
  expect(stdout).toBe('imported\n');
});
