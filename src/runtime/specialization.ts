// A specialization of a program: its function traced and planned for arguments of certain names, dtypes and shapes, ready to run.
import type { Backend, DeviceBuffer, Executable, Run } from '../backend/backend.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape, sizeOf, type DType, type NumberArray, type Shape } from '../core/shape.ts';
import { mapTree, type Tree } from '../core/tree.ts';
import { collapse, walk } from '../core/view.ts';
import { Value, type Signature } from '../graph/value.ts';
import { makePlan, type IndexLimit, type Plan } from '../plan/plan.ts';
import { rangeWithout, Tensor, type Argument } from './tensor.ts';

/** Allocates tensors on a backend. */
export interface Memory {
  readonly backend: Backend;
  allocate(shape: Shape, dtype: DType): Tensor;
}

/** An argument's signature and its place in the arguments, such as `states.1.h`, which plans and errors use as its name. */
export interface NamedSignature extends Signature {
  readonly name: string;
}

/** What a trace returns. */
export interface Traced {
  /** By name, nested as a call returns them. */
  readonly outputs: { readonly [name: string]: Tree<Value> };
  /** Outputs that take over the memory of the argument of the same name. */
  readonly donated?: readonly string[];
}

export interface SpecializationOptions {
  /** The program's name in errors. */
  readonly name: string;
  readonly args: readonly NamedSignature[];
  /** @param args A value for each argument. */
  readonly trace: (args: readonly Value[]) => Traced;
  /** Names of arguments that rarely change (weights during inference). Steps that depend on nothing else are memoised. */
  readonly frozen?: readonly string[];
}

const isValue = (node: unknown): node is Value => node instanceof Value;
const isNumber = (node: unknown): node is number => typeof node === 'number';
const isTensor = (node: unknown): node is Tensor => node instanceof Tensor;

/** Whether a path is one of the names, or within one of them. */
const isAmong = (names: readonly string[], path: string): boolean =>
  names.some((name) => path === name || path.startsWith(`${name}.`));

export class Specialization {
  /** The program's name. */
  readonly name: string;
  readonly plan: Plan;
  readonly backend: Backend;
  /** The indices of the outputs, nested as the trace returned its values; the traced graph is not retained. */
  readonly #outputs: object;
  /** For each output, the position of the argument whose memory it replaces. */
  readonly #donate: readonly (number | undefined)[];
  #executable: Executable;
  /** Device memory of arguments that come from the host, reused by later runs. */
  readonly #uploads: (DeviceBuffer | undefined)[];
  #disposed = false;

  constructor(backend: Backend, { name, args, trace, frozen = [] }: SpecializationOptions) {
    const values = args.map(({ shape, dtype }) => new Value({ shape, dtype }));
    const { outputs, donated = [] } = trace(values);
    const names: string[] = [];
    const results: Value[] = [];
    this.#outputs = mapTree(outputs, isValue, (value, path) => {
      names.push(path);
      return results.push(value) - 1;
    }) as object;
    this.backend = backend;
    this.name = name;
    this.#donate = names.map((path) =>
      isAmong(donated, path) ? args.findIndex((arg) => arg.name === path) : undefined,
    );
    this.plan = makePlan(values, results, {
      target: backend.target,
      names: { args: args.map((arg) => arg.name), outputs: names },
      donate: this.#donate,
      frozen: [...args.keys()].filter((i) => isAmong(frozen, args[i].name)),
    });
    this.#executable = backend.prepare(this.plan);
    this.#uploads = args.map(() => undefined);
  }

  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** The prepared plan. */
  get executable(): Executable {
    return this.#executable;
  }

  /** Prepares the plan again, with what has been tuned since. @throws GatewiseError `disposed` */
  prepareAgain(): void {
    if (this.#disposed)
      throw new GatewiseError('disposed', 'tune: what is tuned was disposed of; await the tuning first');
    const replaced = this.#executable;
    this.#executable = this.backend.prepare(this.plan);
    replaced.dispose();
  }

  /** Bytes of device memory that no other plan uses: results that outlive a run, and arguments from the host. */
  get ownBytes(): number {
    const retained = this.plan.buffers.filter(({ kind, isRetained }) => kind === 'temporary' && isRetained);
    const uploads = this.#uploads.filter((buffer) => buffer !== undefined);
    return [...retained, ...uploads].reduce((sum, { size }) => sum + 4 * size, 0);
  }

  /** Queues a run and returns new tensors for the outputs, nested as the trace returned its values. */
  call(memory: Memory, args: readonly Argument[]): unknown {
    const { tensors, tree } = this.allocate(memory, Object.keys(this.#outputs));
    this.run(
      args,
      tensors.map((tensor) => tensor?.buffer),
    );
    return tree;
  }

  /** New tensors for outputs, in order, and nested as the trace returned its values. @param names Of the outputs; others have none. */
  allocate(
    memory: Memory,
    names: readonly string[],
  ): { readonly tensors: readonly (Tensor | undefined)[]; readonly tree: unknown } {
    const tensors = this.plan.outputs.map(({ name, view, dtype }) =>
      isAmong(names, name) ? memory.allocate(view.shape, dtype) : undefined,
    );
    return { tensors, tree: mapTree(this.#outputs, isNumber, (output) => tensors[output]) };
  }

  /**
   * Queues a run.
   * @param outputs A buffer for each output that is not donated.
   * @param reads The outputs to read back. @param before A run of another specialization that comes first.
   */
  run(
    args: readonly Argument[],
    outputs: readonly (DeviceBuffer | undefined)[],
    reads: readonly number[] = [],
    before?: Run,
  ): Promise<NumberArray>[] {
    const own = this.bind(args, outputs);
    return this.#executable.run(own.args, own.outputs, reads, before);
  }

  /** A run as the backend takes it. */
  bind(args: readonly Argument[], outputs: readonly (DeviceBuffer | undefined)[]): Run {
    const buffers = this.upload(args);
    const results = this.outputBuffers(buffers, (i) => outputs[i]);
    return { executable: this.#executable, args: buffers, outputs: results };
  }

  /**
   * Records a run into commands of the application.
   * @param outputs Tensors for the outputs that are not donated, nested as the trace returned its values.
   * @throws GatewiseError `argument` for an argument that is not a tensor, or for outputs of other shapes, dtypes or nesting.
   */
  encode(
    target: GPUCommandEncoder | GPUComputePassEncoder,
    args: readonly Argument[],
    outputs: unknown,
  ): void {
    const executable = this.#executable;
    if (executable.encode === undefined)
      throw new GatewiseError(
        'unsupported',
        `encode: records GPU commands, and this runtime is on ${this.backend.description}; call ${this.name}`,
      );
    args.forEach((arg, i) => {
      if (!(arg instanceof Tensor))
        throw new GatewiseError(
          'argument',
          `encode: ${this.#argumentName(i)} must be a tensor, got numbers: make it once by runtime.tensor(), and write() it`,
        );
    });
    const buffers = this.upload(args);
    const own = this.#outputTensors(outputs).map((tensor) => tensor?.buffer);
    executable.encode(
      target,
      buffers,
      this.outputBuffers(buffers, (i) => own[i]),
    );
  }

  #argumentName(index: number): string {
    return this.plan.arguments[index].name;
  }

  /** The tensors of a tree that is nested as the outputs are. */
  #outputTensors(outputs: unknown): (Tensor | undefined)[] {
    const given = new Map<string, unknown>();
    mapTree(outputs, isTensor, (tensor, path) => given.set(path, tensor));
    return this.plan.outputs.map(({ name, view, dtype }, output) => {
      if (this.#donate[output] !== undefined) return undefined;
      const tensor = given.get(name);
      const what = `encode: expected a tensor ${dtype} ${show(view.shape)} of this runtime for ${name}`;
      if (!isTensor(tensor)) throw new GatewiseError('argument', `${what}, got ${show(tensor)}`);
      if (tensor.backend !== this.backend || tensor.dtype !== dtype || !sameShape(tensor.shape, view.shape))
        throw new GatewiseError('shape', `${what}, got ${tensor.dtype} ${show(tensor.shape)}`);
      return tensor;
    });
  }

  /** For each output the buffer of its donated argument, or else one from `bufferOf`. */
  outputBuffers(
    args: readonly DeviceBuffer[],
    bufferOf: (output: number) => DeviceBuffer | undefined,
  ): DeviceBuffer[] {
    return this.plan.outputs.map(({ name }, i) => {
      const buffer = args[this.#donate[i] ?? -1] ?? bufferOf(i);
      if (buffer === undefined)
        throw new GatewiseError('internal', `${this.name}: no buffer for the output ${name}`);
      return buffer;
    });
  }

  /** The buffers of arguments; numbers from the host are written to buffers of this specialization. */
  upload(args: readonly Argument[]): DeviceBuffer[] {
    return args.map((arg, i) => {
      if (arg instanceof Tensor && arg.backend !== this.backend)
        throw new GatewiseError(
          'argument',
          `${this.name}: ${this.#argumentName(i)} is a tensor of another runtime; read() it there and pass the data`,
        );
      for (const limit of this.plan.indexLimits) if (limit.argument === i) this.#check(arg, limit);
      if (arg instanceof Tensor) return arg.buffer;
      const buffer = (this.#uploads[i] ??= this.backend.createBuffer(sizeOf(arg.shape), arg.dtype));
      this.backend.write(buffer, arg.data);
      return buffer;
    });
  }

  /** Checks that indices or lengths are valid: of host data each element, of a tensor, which is on the device, its range. */
  #check(arg: Argument, { argument, kind, limit, except, view }: IndexLimit): void {
    const name = this.#argumentName(argument);
    const least = kind === 'index' ? 0 : 1;
    const refuse = (found: string, hint = ''): never => {
      const expected = `${least} to ${limit - 1}${except === undefined ? '' : ` or ${except}`}`;
      throw new GatewiseError('argument', `${this.name}: ${found}; expected ${expected}${hint}`);
    };
    if (!(arg instanceof Tensor)) {
      walk(collapse([view]), ([at]) => {
        const element = arg.data[at];
        if ((element < least || element >= limit) && element !== except)
          refuse(`element ${at} of ${name} is the ${kind} ${element}`);
      });
    } else if (arg.range !== undefined) {
      const { smallest, largest } = rangeWithout(arg.range, except);
      if (smallest < least || largest >= limit)
        refuse(
          `${name} is a tensor of ${kind === 'index' ? 'indices' : 'lengths'} from ${arg.range.smallest} to ${arg.range.largest}`,
          '. A tensor is checked as a whole: if only a part of it is read so, pass that part as a tensor of its own',
        );
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#executable.dispose();
    for (const buffer of this.#uploads) buffer?.destroy();
    this.#uploads.fill(undefined);
  }
}
