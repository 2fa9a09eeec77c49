// The build step of the shaders (`npm run shaders`): writes gen/NAME.ts for each NAME.wgsl, with its code and a typed description of
// its bindings, uniforms, constants, splices and unrolled counts, and gen/lib/NAME.ts for each lib/NAME.wgsl, so that an app
// downloads shared code once. Comments and indentation stay behind. `--check` compares with the files that exist.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ArrayInfo,
  ResourceType,
  StructInfo,
  WgslReflect,
  type TypeInfo,
} from 'wgsl_reflect/wgsl_reflect.module.js';
import type { Layout } from '../src/core/kernel.ts';

const folder = dirname(fileURLToPath(import.meta.url));

const INCLUDE = /^\/\/ @include lib\/(\w+)\.wgsl\n/gm;

const read = (name: string): string => readFileSync(join(folder, `${name}.wgsl`), 'utf8');

/** WGSL with its `// @include` lines replaced by the files, recursively. */
function include(code: string): string {
  return code.replace(INCLUDE, (_, name: string) => include(read(`lib/${name}`)));
}

/** WGSL without comments, except the directives of the template, and without indentation and empty lines. */
function compact(code: string): string {
  const lines = code.split('\n').map((line) => line.replace(/\/\/(?! @).*/, '').trim());
  return lines.filter((line) => line !== '').join('\n');
}

/** The imports of a file's includes, and the expression for its code: the included strings and what stands between them. */
function codeText(code: string, libraryPath: string): { imports: string; expression: string } {
  // split() puts the name of each include between the parts.
  const parts = code.split(INCLUDE).map((part, i) => {
    if (i % 2 === 1) return `lib_${part}`;
    const own = compact(part);
    return own === '' ? '' : JSON.stringify(`${own}\n`);
  });
  const libraries = [...code.matchAll(INCLUDE)].map(([, name]) => name);
  return {
    imports: libraries.map((name) => `import { lib_${name} } from '${libraryPath}/${name}.ts';\n`).join(''),
    expression: parts.filter((part) => part !== '').join(' + '),
  };
}

function library(name: string): string {
  const { imports, expression } = codeText(read(`lib/${name}`), '.');
  return `// Generated from lib/${name}.wgsl by shaders/reflect.ts; do not edit.
${imports}
export const lib_${name}: string = ${expression};
`;
}

const scalars: Record<string, 'u32' | 'i32' | 'f32'> = { u: 'u32', i: 'i32', f: 'f32' };

function layoutOf(type: TypeInfo): Layout {
  if (type instanceof StructInfo) {
    return {
      kind: 'struct',
      members: Object.fromEntries(
        type.members.map((m) => [m.name, { offset: m.offset, layout: layoutOf(m.type) }]),
      ),
    };
  }
  if (type instanceof ArrayInfo)
    return { kind: 'array', count: type.count, stride: type.stride, of: layoutOf(type.format) };
  const [, width, kind] = /^(?:vec(\d))?([uif])(?:32)?$/.exec(type.name) ?? [];
  if (kind === undefined)
    throw new Error(
      `uniform of type ${type.name}: only u32, i32, f32, their vectors, arrays and structs are known`,
    );
  return { kind: scalars[kind], width: Number(width ?? 1) };
}

/** The TypeScript type of a uniform. */
function typeText(layout: Layout): string {
  if (layout.kind === 'struct') {
    return `{ ${Object.entries(layout.members)
      .map(([name, member]) => `readonly ${name}: ${typeText(member.layout)}`)
      .join('; ')} }`;
  }
  if (layout.kind === 'array') return `readonly (${typeText(layout.of)})[]`;
  return layout.width === 1
    ? 'number'
    : `readonly [${Array.from({ length: layout.width }, () => 'number').join(', ')}]`;
}

const union = (names: readonly string[]): string =>
  names.length === 0 ? 'never' : names.map((name) => `'${name}'`).join(' | ');
const quoted = (names: readonly string[]): string => `[${names.map((name) => `'${name}'`).join(', ')}]`;

function parse(name: string, code: string): WgslReflect {
  try {
    return new WgslReflect(code);
  } catch (cause) {
    throw new Error(
      `${name}.wgsl, with its includes: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

function reflect(name: string): string {
  const own = read(name);
  const { imports, expression } = codeText(own, './lib');
  const code = include(own);
  const found = parse(name, code);
  const entry = found.entry.compute.map((e) => e.name);
  if (entry.length !== 1 || entry[0] !== name)
    throw new Error(`${name}.wgsl: expected one entry point "${name}", got ${entry.join(', ')}`);
  const uniform = found.uniforms[0];
  if (found.uniforms.length !== 1)
    throw new Error(`${name}.wgsl: expected one uniform, got ${found.uniforms.length}`);
  const storage = found.storage.filter((v) => v.resourceType === ResourceType.Storage);
  const layout = layoutOf(uniform.type);
  const constants = found.overrides.map((o) => o.name);
  const directives = (kind: string): string[] =>
    [...code.matchAll(new RegExp(`// @${kind} (.+)`, 'g'))].map((m) => m[1]);
  const splices = directives('splice');
  const blocks = directives('unroll').map((text) => text.split(' '));
  const counts = [...new Set(blocks.map(([, count]) => count).filter((count) => !/^\d+$/.test(count)))];
  // A count SIZE_P in a block of P stands for SIZE_0, SIZE_1, …
  const isNumbered = (count: string): boolean => blocks.some(([variable]) => count.endsWith(`_${variable}`));
  const firstOf = (count: string): string => (isNumbered(count) ? count.replace(/_[^_]+$/, '_0') : count);
  const unrollType = counts
    .map((count) => (isNumbered(count) ? `\`${count.replace(/_[^_]+$/, '_${number}')}\`` : `'${count}'`))
    .join(' | ');
  const bindings = storage
    .map((v) => `    ${v.name}: { binding: ${v.binding}, access: '${v.access}' },`)
    .join('\n');
  return `// Generated from ${name}.wgsl by shaders/reflect.ts; do not edit.
import type { Kernel } from '../../src/core/kernel.ts';
${imports}
export const ${name}: Kernel<
  ${union(storage.map((v) => v.name))},
  ${typeText(layout)},
  ${union(constants)},
  ${union(splices)},
  ${counts.length === 0 ? 'never' : unrollType}
> = {
  name: '${name}',
  bindings: {
${bindings}
  },
  uniforms: { binding: ${uniform.binding}, size: ${Math.ceil(uniform.size / 16) * 16}, layout: ${JSON.stringify(layout)} },
  constants: ${quoted(constants)},
  splices: ${quoted(splices)},
  unrolls: ${quoted(counts.map(firstOf))},
  code: ${expression},
};
`;
}

const namesIn = (place: string): string[] =>
  readdirSync(place)
    .filter((file) => file.endsWith('.wgsl'))
    .map((file) => file.slice(0, -'.wgsl'.length))
    .sort();
const names = namesIn(folder);
const gen = join(folder, 'gen');
mkdirSync(join(gen, 'lib'), { recursive: true });
const files = new Map<string, string>([
  ...names.map((name) => [`${name}.ts`, reflect(name)] as const),
  ...namesIn(join(folder, 'lib')).map((name) => [`lib/${name}.ts`, library(name)] as const),
]);
const stray = readdirSync(gen, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll(sep, '/'))
  .filter((file) => file.endsWith('.ts') && !files.has(file));

if (process.argv.includes('--check')) {
  const present = (file: string): string => {
    try {
      return readFileSync(join(gen, file), 'utf8');
    } catch {
      return '';
    }
  };
  const stale = [...files].filter(([file, text]) => present(file) !== text).map(([file]) => file);
  if (stale.length + stray.length > 0) {
    console.error(`shaders/gen is not current (${[...stale, ...stray].join(', ')}); run: npm run shaders`);
    process.exit(1);
  }
  console.log(`shaders/gen is current (${names.length} kernels)`);
} else {
  for (const file of stray) rmSync(join(gen, file));
  for (const [file, text] of files) writeFileSync(join(gen, file), text);
  console.log(`reflected ${names.length} kernels into shaders/gen`);
}
