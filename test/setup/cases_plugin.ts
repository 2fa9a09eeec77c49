// The module `virtual:recurrent-cases`: every recurrent case (*.safetensors) below test/fixtures and, where the variable
// RECURRENT_CASES names a folder, below that. Each case is a module, so that a test loads only its own bytes, in Node and
// in a browser.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';

import type { Plugin } from 'vite';

const LIST = 'virtual:recurrent-cases';
const CASE = 'virtual:recurrent-case/';

export interface CaseFile {
  name: string;
  path: string;
}

/** The cases below `folder`, in the order of their names, which are their paths without `.safetensors`. */
export function casesBelow(folder: string): CaseFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.safetensors'))
    .sort()
    .map((path) => ({
      name: path.replaceAll(sep, '/').slice(0, -'.safetensors'.length),
      path: resolve(folder, path),
    }));
}

/** The fixtures' cases, then those of the folder named by RECURRENT_CASES, which must hold some. */
export function allCases(root: string, extra = process.env['RECURRENT_CASES']): CaseFile[] {
  const fixtures = join(root, 'test/fixtures');
  const found = existsSync(fixtures) ? casesBelow(fixtures) : [];
  if (extra === undefined || extra === '') return found;
  if (!existsSync(extra)) throw new Error(`RECURRENT_CASES: expected a folder, but ${extra} does not exist.`);
  const more = casesBelow(extra);
  if (more.length === 0)
    throw new Error(`RECURRENT_CASES: expected *.safetensors below ${extra}, found none.`);
  return [...found, ...more];
}

function listModule(cases: CaseFile[]): string {
  const rows = cases.map(({ name }, index) => {
    const module = JSON.stringify(`${CASE}${index}`);
    return `{ name: ${JSON.stringify(name)}, load: async () => (await import(${module})).bytes() }`;
  });
  return `export const cases = [${rows.join(',\n')}];`;
}

function caseModule({ path }: CaseFile): string {
  try {
    const text = readFileSync(path).toString('base64');
    return `export const bytes = () => Uint8Array.from(atob(${JSON.stringify(text)}), (c) => c.charCodeAt(0));`;
  } catch (error) {
    // Loading the case throws, so that only the test of that case fails.
    return `export const bytes = () => { throw new Error(${JSON.stringify(`${path} cannot be read: ${String(error)}`)}); };`;
  }
}

export function recurrentCases(root: string): Plugin {
  let cases: CaseFile[] | undefined;
  return {
    name: 'recurrent-cases',
    resolveId: (id) => (id === LIST || id.startsWith(CASE) ? `\0${id}` : null),
    load(id) {
      if (!id.startsWith('\0virtual:recurrent-case')) return null;
      cases ??= allCases(root);
      if (id === `\0${LIST}`) return listModule(cases);
      const file = cases[Number(id.slice(CASE.length + 1))];
      if (file === undefined) throw new Error(`${id}: there are ${cases.length} cases.`);
      return caseModule(file);
    },
  };
}
