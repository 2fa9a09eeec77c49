// A recurrent cell is one declaration: its gates, its states, its weights and one update. Products, time loop, layers,
// memory and checkpoint names are shared by all cells; the WGSL, the CPU code and the derivative come from here.
import { GatewiseError, show } from '../core/errors.ts';
import type { Arith } from '../expr/arith.ts';
import { checkArgument, checkOrigin, checkUpdate, guarded, guardedParts, type Fail } from './check.ts';
import type {
  Across,
  CellDeclaration,
  CellParts,
  Gate,
  GateSpec,
  GateValues,
  Initial,
  Source,
} from './declaration.ts';
import { makeProgram, type CellProgram, type ProgramOptions } from './program.ts';

export interface Cell extends CellParts {
  /** What the kernels and the CPU run. */
  readonly program: (options: ProgramOptions) => CellProgram;
}

const DECLARED = ['name', 'gates', 'states', 'weights', 'projects', 'dropsRecurrent', 'update'];
const KINDS: readonly unknown[] = ['sum', 'apart', 'late', 'input'];
/** What the update is given beside its weights, and parameters that every layer has. */
const RESERVED = ['mean', 'project', 'random', 'weight_ih', 'weight_hh', 'bias_ih', 'bias_hh', 'weight_hr'];
/** Names are printed into the kernels and become names of parameters. */
const isName = (name: unknown): boolean =>
  typeof name === 'string' && /^[\p{L}_][^\p{Cc}\p{Zl}\p{Zp}]*$/u.test(name);

/**
 * Declares a recurrent cell.
 * @throws GatewiseError `argument` where a name is repeated, `h` is missing, or the update reads a gate, state or weight
 *   that was not declared, leaves a gate unread, or returns other states than the declared ones.
 */
export function defineCell<
  const Gates extends readonly GateSpec[],
  const State extends string = never,
  const Weight extends string = never,
>(declaration: CellDeclaration<Gates, State, Weight>): Cell {
  if (typeof declaration !== 'object' || declaration === null)
    throw new GatewiseError(
      'argument',
      `defineCell: expected { ${DECLARED.join(', ')} }, got ${show(declaration)}`,
    );
  const { name, states, weights = {}, projects = false, dropsRecurrent = false } = declaration;
  const fail: Fail = (problem) => {
    throw new GatewiseError('argument', `cell ${show(name)}: ${problem}`);
  };
  if (!isName(name)) fail('expected a name');
  const unknown = Object.keys(declaration).find((key) => !DECLARED.includes(key));
  if (unknown !== undefined) fail(`${show(unknown)} is unknown; expected ${DECLARED.join(', ')}`);
  if (!Array.isArray(declaration.gates) || declaration.gates.length === 0)
    fail('expected at least one gate, got none');
  const gates = (declaration.gates as readonly GateSpec[]).map((gate): Gate =>
    typeof gate === 'string' ? { name: gate, kind: 'sum' } : gate,
  );
  const odd = gates.findIndex((gate) => !isName(gate?.name) || !KINDS.includes(gate.kind));
  if (odd >= 0)
    fail(
      `gate ${odd} must be a name, or apart, late or inputOnly of one, got ${show(declaration.gates[odd])}`,
    );
  if (!Array.isArray(states) || states[0] !== 'h')
    fail(`the first state must be 'h', which feeds the recurrent product; got ${show(states)}`);
  if (!states.every(isName)) fail(`states must be names, got ${show(states)}`);
  if (typeof declaration.update !== 'function')
    fail(`update must be a function of gates and states, got ${show(declaration.update)}`);
  for (const [flag, value] of Object.entries({ projects, dropsRecurrent })) {
    if (typeof value !== 'boolean') fail(`${flag} must be true or false, got ${show(value)}`);
  }
  if (typeof weights !== 'object' || weights === null || Array.isArray(weights))
    fail(`weights must be names with initial values, such as { u: 1 }, got ${show(weights)}`);
  const weightList = Object.entries(weights as Readonly<Record<string, Initial>>).map(
    ([weight, initial]) => ({ name: weight, initial }),
  );
  for (const [what, names] of [
    ['gate', gates.map((gate) => gate.name)],
    ['state', states],
  ] as const) {
    const repeated = names.find((n, i) => (names as readonly string[]).indexOf(n) !== i);
    if (repeated !== undefined) fail(`${what} ${show(repeated)} is declared twice`);
  }
  for (const { name: weight, initial } of weightList) {
    if (!isName(weight)) fail(`weights must have names, got ${show(weight)}`);
    if (RESERVED.includes(weight))
      fail(`a weight cannot be called ${show(weight)}, which is the name of something else`);
    // Text and lists become numbers, too.
    const isNumber = typeof initial === 'number' && Number.isFinite(Math.fround(initial));
    if (initial !== 'uniform' && !isNumber)
      fail(
        `weight ${show(weight)} must start as a number that is finite in float32 or as 'uniform', got ${show(initial)}`,
      );
  }
  const recurrentGates = gates.flatMap(({ kind }, i) => (kind === 'input' ? [] : [i]));

  if (dropsRecurrent && recurrentGates.length === 0)
    fail('dropsRecurrent needs a gate with recurrent weights; leave it out');

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
            fail(`update calls the gate ${show(gate)} twice; keep what the first call gives`);
          checkArgument(fail, `the gate ${show(gate)}`, x);
          called.add(gate);
          const input = source.input(i);
          return input.apply('add', [input, source.product(partOf(i), x)]);
        };
        // For whoever takes it for a number.
        Object.defineProperty(call, 'name', { value: `${gate}, a gate that is to be called` });
        return [gate, call];
      }
      const [input, recurrent] = [source.input(i), source.product(partOf(i), dropped)];
      return [
        gate,
        kind === 'apart'
          ? guardedParts(fail, gate, { input, recurrent })
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
      ...Object.fromEntries(weightList.map((weight, i) => [weight.name, source.weight(i)])),
    };
    const next: unknown = declaration.update(
      guarded(fail, 'gate', Object.fromEntries(values)) as GateValues<T, Gates>,
      guarded(fail, 'state', Object.fromEntries(states.map((state, i) => [state, source.state(i)]))) as {
        [S in State | 'h']: T;
      },
      guarded(fail, 'weight', more) as Across<T> & { [W in Weight]: T },
    );
    return checkUpdate<T>(fail, states, next);
  };

  const programs = new Map<string, CellProgram>();
  const parts: CellParts = {
    name,
    gates,
    states,
    weights: weightList,
    projects,
    dropsRecurrent,
    recurrentGates,
    apply,
    declaration: declaration as unknown as CellParts['declaration'],
  };
  const program: Cell['program'] = (options) => {
    const key = `${options.bias} ${options.masked} ${options.stacked ?? false}`;
    const known = programs.get(key) ?? makeProgram(parts, options, fail);
    programs.set(key, known);
    return known;
  };
  // What is wrong with an update shows when the cell is declared.
  checkOrigin(fail, parts);
  program({ bias: true, masked: false });
  return { ...parts, program };
}
