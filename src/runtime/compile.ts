// runtime.compile: turns a function over traced values into one over tensors, planned once per signature.
import { GatewiseError, show } from '../core/errors.ts';
import { mapTree, type MapTree, type Tree } from '../core/tree.ts';
import { Value } from '../graph/value.ts';
import { constant } from '../ops/structure.ts';
import type { HostData, TypedArray } from './host.ts';
import { PREPARE, Program, type Planned, type Prepared } from './program.ts';
import type { Memory } from './specialization.ts';
import { Tensor, toArgument, type Argument } from './tensor.ts';

/** Numbers in nested lists. A list of typed arrays is a list of arguments. */
type NestedNumbers = number | readonly NestedNumbers[];

/** Arguments of a compiled function: tensors or numbers where the traced function reads values. */
export type TensorArguments<Args extends readonly unknown[]> = { [K in keyof Args]: TensorTree<Args[K]> };
type TensorTree<T> = T extends Value
  ? Tensor | TypedArray | NestedNumbers
  : T extends object
    ? { [K in keyof T]: TensorTree<T[K]> }
    : T;

export interface Compiled<Args extends readonly unknown[], Result>
  extends Planned<TensorArguments<Args>>, Disposable {
  /** Queues the computation and returns at once; read() the tensors for their values. The caller owns them. */
  (...args: TensorArguments<Args>): MapTree<Result, Value | number, Tensor>;
  /**
   * Records the computation into commands of the application: no submit, no readback, and after the first call with the same
   * tensors no allocation. A pass keeps neither its pipeline nor its bind group 0. The application submits what it records, in
   * the order of the calls.
   * @param args Tensors, nested as the arguments of the function. @param outputs Tensors to write, nested as its result.
   */
  encode(
    target: GPUCommandEncoder | GPUComputePassEncoder,
    args: TensorArguments<Args>,
    outputs: MapTree<Result, Value | number, Tensor>,
  ): void;
  dispose(): void;
}

const isArgumentLeaf = (node: unknown): node is Tensor | HostData =>
  node instanceof Tensor ||
  typeof node === 'number' ||
  ArrayBuffer.isView(node) ||
  (Array.isArray(node) && isNumbers(node));
const isNumbers = (list: readonly unknown[]): boolean =>
  list.every((item) => typeof item === 'number' || (Array.isArray(item) && isNumbers(item)));
const isResultLeaf = (node: unknown): node is Value | number =>
  node instanceof Value || typeof node === 'number';

/** The arguments of a function by position: `arg0`, `arg1`, … */
function argumentsOf(name: string, args: readonly unknown[]): Readonly<Record<string, unknown>> {
  const toLeaf = (leaf: unknown, path: string): Argument => {
    if (!isArgumentLeaf(leaf))
      throw new GatewiseError('argument', `${name}: ${path} must be a tensor or numbers, got ${show(leaf)}`);
    return toArgument(`${name}: ${path}`, leaf);
  };
  return Object.fromEntries(
    args.map((arg, i) => [`arg${i}`, mapTree(arg, isArgumentLeaf, toLeaf, `arg${i}`)]),
  );
}

/** The values that a function returned. A number becomes a constant. */
function resultOf(name: string, result: unknown): Tree<Value> {
  return mapTree(result, isResultLeaf, (leaf) => {
    if (leaf instanceof Value) return leaf;
    if (typeof leaf === 'number') return constant(leaf);
    throw new GatewiseError('argument', `${name}: expected traced values as the result, got ${show(leaf)}`);
  }) as Tree<Value>;
}

export function compileFunction<Args extends readonly unknown[], Result>(
  memory: Memory,
  fn: (...args: Args) => Result,
  owner: Set<Disposable>,
): Compiled<Args, Result> {
  const name = fn.name === '' ? 'compiled function' : fn.name;
  const program = new Program<Readonly<Record<string, unknown>>>(memory, {
    name,
    trace: (args) => ({ outputs: { out: resultOf(name, fn(...(Object.values(args) as never))) } }),
  });
  const prepare = (_: string, ...args: TensorArguments<Args>): Prepared =>
    program.prepare(argumentsOf(name, args), undefined);
  const call = (...args: TensorArguments<Args>): unknown => {
    const { out } = program.call(argumentsOf(name, args), undefined) as { readonly out: unknown };
    return out;
  };
  const dispose = (): void => {
    owner.delete(compiled);
    program.dispose();
  };
  const compiled = Object.assign(call, {
    [PREPARE]: (...given: Parameters<typeof prepare>) => [prepare(...given)],
    encode: (
      target: GPUCommandEncoder | GPUComputePassEncoder,
      args: TensorArguments<Args>,
      out: unknown,
    ): void => {
      const { specialization, args: leaves } = prepare('encode', ...args);
      specialization.encode(target, leaves, { out });
    },
    dispose,
    [Symbol.dispose]: dispose,
  }) as Compiled<Args, Result>;
  owner.add(compiled);
  return compiled;
}
