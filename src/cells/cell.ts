// A recurrent cell is one declaration: gates, states, weights and one update. It gives the WGSL of a step, its CPU code and its
// derivative. All cells share the input products, the loop over time, stacking and parameter names.
import { show } from '../core/errors.ts';
import type { Arith } from '../expr/arith.ts';
import { checkArgument, checkOrigin, checkUpdate, guarded, readDeclaration } from './check.ts';
import type { Across, CellDeclaration, CellParts, GateSpec, GateValues, Source } from './declaration.ts';
import { makeProgram, type CellProgram } from './program.ts';
import type { ProgramOptions } from './update.ts';

export interface Cell extends CellParts {
  /** The generated forward and backward step, which the kernels and the CPU run. */
  readonly program: (options: ProgramOptions) => CellProgram;
}

/**
 * Declares a recurrent cell.
 * @throws GatewiseError `argument` if a name is repeated, `h` is missing, or the update reads a gate, state or weight that is
 *   not declared, leaves a gate unread, or returns other states than the declared ones; `unsupported` for an unknown property.
 */
export function defineCell<
  const Gates extends readonly GateSpec[],
  const State extends string = never,
  const Weight extends string = never,
>(declaration: CellDeclaration<Gates, State, Weight>): Cell {
  const { fail, ...declared } = readDeclaration(declaration as unknown as CellParts['declaration']);
  const { gates, states, weights, projects, dropsRecurrent, recurrentGates } = declared;
  const declaredOnly = <T extends object>(what: string, values: T): T =>
    guarded(values, (key) =>
      fail(
        `update reads a ${what} ${show(key)} that is not declared; expected one of ${show(Object.keys(values))}`,
      ),
    );

  const apply = <T extends Arith<T>>(source: Source<T>): T[] => {
    const h = source.state(0);
    const dropped = dropsRecurrent ? h.apply('mul', [h, source.keep()]) : h;
    const partOf = (gate: number): number => recurrentGates.indexOf(gate);
    const called = new Set<string>();
    const values = gates.map(({ name: gate, kind }, i): [string, unknown] => {
      if (kind === 'input') return [gate, source.input(i)];
      if (kind === 'late') {
        const call = (x: T): T => {
          if (called.has(gate))
            fail(`update calls the gate ${show(gate)} twice; reuse the result of the first call`);
          checkArgument(fail, `the gate ${show(gate)}`, x);
          called.add(gate);
          const input = source.input(i);
          return input.apply('add', [input, source.product(partOf(i), x)]);
        };
        // Errors of arithmetic on the function show its name.
        Object.defineProperty(call, 'name', { value: `${gate}, a gate that is to be called` });
        return [gate, call];
      }
      const [input, recurrent] = [source.input(i), source.product(partOf(i), dropped)];
      return [
        gate,
        kind === 'apart'
          ? guarded({ input, recurrent }, (key) =>
              fail(
                `update reads ${key === 'apply' ? `the gate ${show(gate)} as one number` : `${gate}.${key}`}; the gate is kept apart, read ${gate}.input and ${gate}.recurrent`,
              ),
            )
          : input.apply('add', [input, recurrent]),
      ];
    });
    const project = (x: T): T =>
      projects
        ? source.project(checkArgument(fail, 'project', x))
        : fail('update projects; declare it with projects: true');
    const more = {
      mean: (x: T): T => source.mean(checkArgument(fail, 'mean', x)),
      random: source.random,
      project,
      ...Object.fromEntries(weights.map((weight, i) => [weight.name, source.weight(i)])),
    };
    const next: unknown = declaration.update(
      declaredOnly('gate', Object.fromEntries(values)) as GateValues<T, Gates>,
      declaredOnly('state', Object.fromEntries(states.map((state, i) => [state, source.state(i)]))) as {
        [S in State | 'h']: T;
      },
      declaredOnly('weight', more) as Across<T> & { [W in Weight]: T },
    );
    return checkUpdate<T>(fail, states, next);
  };

  const programs = new Map<string, CellProgram>();
  const parts: CellParts = { ...declared, apply };
  const program: Cell['program'] = (options) => {
    const key = `${options.bias} ${options.masked} ${options.wavefront ?? false}`;
    const result = programs.get(key) ?? makeProgram(parts, options, fail);
    programs.set(key, result);
    return result;
  };
  // Runs the update now, so that its errors surface here and not at the first use of the cell.
  checkOrigin(fail, parts);
  program({ bias: true, masked: false });
  return { ...parts, program };
}
