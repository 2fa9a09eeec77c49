// The whole preprocessing of a WGSL file. Lines that begin with `// @` direct it, so each file compiles as it stands:
//   // @splice NAME … // @end    the lines between are replaced by generated text
//   // @unroll X COUNT … // @end the lines between are repeated; X becomes 0u, 1u, … and a part _X of a name becomes _0, _1, …
// A storage buffer named in readOnly is declared `read`, where the kernel does not write it in this use.
// COUNT is a number or a name given by the caller; a line `const COUNT = 1u;` takes the value given. (`// @include` is resolved when the shaders are reflected.)
import { GatewiseError } from './errors.ts';

export interface Template {
  readonly splices?: Readonly<Record<string, string>>;
  readonly counts?: Readonly<Record<string, number>>;
  readonly readOnly?: readonly string[];
}

export function expand(code: string, { splices = {}, counts = {}, readOnly = [] }: Template): string {
  const declared = readOnly.reduce(
    (text, name) => text.replace(`var<storage, read_write> ${name}:`, `var<storage, read> ${name}:`),
    code,
  );
  const lines = declared.split('\n');
  let at = 0;

  /** Lines up to the matching `// @end`, or to the end of the text. */
  const block = (inside: boolean): string[] => {
    const out: string[] = [];
    while (at < lines.length) {
      const line = lines[at++];
      const [, directive, name, count] = /^\s*\/\/ @(splice|unroll|end)\b ?(\w+)? ?(\w+)?/.exec(line) ?? [];
      if (directive === undefined)
        out.push(
          line.replace(/^const (\w+) = \d+u;/, (own, count: string) =>
            count in counts ? `const ${count} = ${counts[count]}u;` : own,
          ),
        );
      else if (directive === 'end') {
        if (!inside)
          throw new GatewiseError('internal', `WGSL template: "// @end" at line ${at} closes nothing`);
        return out;
      } else {
        const body = block(true);
        if (directive === 'splice') out.push(...(splices[name]?.split('\n') ?? body));
        else out.push(...unroll(body, name, countOf(count)));
      }
    }
    if (inside)
      throw new GatewiseError('internal', 'WGSL template: a "// @splice" or "// @unroll" has no "// @end"');
    return out;
  };

  const countOf = (text: string): number => {
    const count = /^\d+$/.test(text) ? Number(text) : counts[text];
    if (count === undefined)
      throw new GatewiseError('internal', `WGSL template: no count given for "${text}"`);
    return count;
  };

  return block(false).join('\n');
}

function unroll(body: readonly string[], name: string, count: number): string[] {
  const word = new RegExp(`\\b${name}\\b`, 'g');
  const ending = new RegExp(`_${name}(?=_|\\b)`, 'g');
  const copies = Array.from({ length: count }, (_, n) =>
    body.map((line) => line.replace(ending, `_${n}`).replace(word, `${n}u`)),
  );
  return copies.flat();
}
