// The template processor of WGSL files. Directives are comments, so that each file is valid WGSL by itself:
//   // @splice NAME … // @end    replaces the lines between by generated code
//   // @unroll X COUNT … // @end repeats the lines between; X becomes 0u, 1u, … and a part _X of a name becomes _0, _1, …
// COUNT is a number or a name for which the caller gives a number, which also replaces that of a line `const COUNT = 1u;`.
// Outer blocks are expanded first, so a count in a block of PHASE may be called GROUPS_PHASE, with one number for each copy.
// `npm run shaders` has resolved `// @include FILE` by then.
import { GatewiseError } from './errors.ts';

/** The values for the directives of a WGSL file. */
export interface Template {
  /** The code of each splice; the file's own code by default. */
  readonly splices?: Readonly<Record<string, string>>;
  readonly counts?: Readonly<Record<string, number>>;
  /** The storage buffers to declare `read` instead of `read_write`. */
  readonly readOnly?: readonly string[];
}

/** The WGSL of a file with all directives expanded. */
export function expand(code: string, { splices = {}, counts = {}, readOnly = [] }: Template): string {
  const declared = readOnly.reduce(
    (text, name) => text.replace(`var<storage, read_write> ${name}:`, `var<storage, read> ${name}:`),
    code,
  );
  const lines = declared.split('\n');

  /** The line of the `// @end` that closes the block opened before line `from`. */
  const endOf = (body: readonly string[], from: number): number => {
    let depth = 1;
    for (let at = from; at < body.length; at++) {
      const directive = directiveOf(body[at]);
      if (directive !== undefined) depth += directive.kind === 'end' ? -1 : 1;
      if (depth === 0) return at;
    }
    throw new GatewiseError('internal', 'WGSL template: a "// @splice" or "// @unroll" has no "// @end"');
  };

  const countOf = (text: string): number => {
    const count = /^\d+$/.test(text) ? Number(text) : counts[text];
    if (count === undefined)
      throw new GatewiseError('internal', `WGSL template: no count given for "${text}"`);
    return count;
  };

  const expandLines = (body: readonly string[]): string[] => {
    const out: string[] = [];
    for (let at = 0; at < body.length; at++) {
      const line = body[at];
      const directive = directiveOf(line);
      if (directive === undefined)
        out.push(
          line.replace(/^const (\w+) = \d+u;/, (declaration, constant: string) =>
            constant in counts ? `const ${constant} = ${counts[constant]}u;` : declaration,
          ),
        );
      else if (directive.kind === 'end')
        throw new GatewiseError('internal', `WGSL template: "${line.trim()}" closes nothing`);
      else {
        const end = endOf(body, at + 1);
        const inner = body.slice(at + 1, end);
        const { kind, name, count } = directive;
        if (kind === 'splice') out.push(...(splices[name]?.split('\n') ?? expandLines(inner)));
        else for (let n = 0; n < countOf(count); n++) out.push(...expandLines(numbered(inner, name, n)));
        at = end;
      }
    }
    return out;
  };

  return expandLines(lines).join('\n');
}

interface Directive {
  readonly kind: 'splice' | 'unroll' | 'end';
  readonly name: string;
  readonly count: string;
}

function directiveOf(line: string): Directive | undefined {
  const [, kind, name = '', count = ''] = /^\s*\/\/ @(splice|unroll|end)\b ?(\w+)? ?(\w+)?/.exec(line) ?? [];
  return kind === undefined ? undefined : { kind: kind as Directive['kind'], name, count };
}

/** Copy `n` of an unrolled block: the word X becomes `0u`, and a part `_X` of a name `_0`, for n = 0. */
function numbered(body: readonly string[], name: string, n: number): string[] {
  const word = new RegExp(`\\b${name}\\b`, 'g');
  const ending = new RegExp(`_${name}(?=_|\\b)`, 'g');
  return body.map((line) => line.replace(ending, `_${n}`).replace(word, `${n}u`));
}
