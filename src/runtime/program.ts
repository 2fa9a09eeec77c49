// A traced and planned function of named arguments, ready to run, and a cache of such programs by their signatures.
import type { Backend, DeviceBuffer, Executable } from '../backend/backend.ts';
import type { TunedKind } from '../backend/tuning.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { LRUCache } from '../core/lru_cache.ts';
import { sameShape, sizeOf, type DType, type NumberArray, type Shape } from '../core/shape.ts';
import { leavesOf, mapTree, type Tree } from '../core/tree.ts';
import { collapse, walk } from '../core/view.ts';
import { Value, type Signature } from '../graph/value.ts';
import { makePlan, type IndexLimit, type Plan } from '../plan/plan.ts';
import { printPlan } from '../plan/print.ts';
import { profileOf, type Profile } from '../plan/profile.ts';
import { rangeWithout, Tensor, type Argument } from './tensor.ts';

/** Allocates tensors on a backend. */
export interface Memory {
  readonly backend: Backend;
  allocate(shape: Shape, dtype: DType): Tensor;
}

/** Arguments by name; errors use these names. */
export type NamedArguments = Readonly<Record<string, Argument>>;

/** A program and what to run it with. */
export interface Prepared {
  readonly program: Program;
  readonly args: NamedArguments;
}

export interface Traced {
  readonly outputs: Tree<Value>;
  /** For each output, in order, the argument whose memory it replaces, if any. */
  readonly donate?: readonly (string | undefined)[];
}

export interface ProgramOptions {
  /** The program's name in errors. */
  readonly name: string;
  /** In the plan's order. Only their shapes and dtypes are read. */
  readonly args: Readonly<Record<string, Signature>>;
  readonly trace: (args: Readonly<Record<string, Value>>) => Traced;
  /** What the graph depends on besides the name and the arguments. */
  readonly variant?: string;
  /** Arguments that rarely change (weights during inference). Steps that depend on nothing else are memoised. */
  readonly frozen?: readonly string[];
  /** Arguments that are known before the others. `prefetch` queues the steps that depend on these and frozen ones alone. */
  readonly prefetchable?: readonly string[];
}

/** Least recently used programs beyond this number are freed, and planned again when they are needed. */
const MAX_PROGRAMS = 256;
/** Bytes of device memory that belong to single programs of a cache, beyond which the least recently used are freed as well. */
const MAX_PROGRAM_BYTES = 256 * 2 ** 20;

export class ProgramCache {
  readonly #backend: Backend;
  readonly #programs = new LRUCache<Program>(MAX_PROGRAMS, (program) => program.dispose(), {
    of: (program) => program.ownBytes,
    limit: MAX_PROGRAM_BYTES,
  });

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** The program for arguments of these names, dtypes and shapes, and the arguments. The first use traces and plans it. */
  prepare(options: ProgramOptions & { readonly args: NamedArguments }): Prepared {
    const { name, args, variant = '' } = options;
    const signature = Object.entries(args).map(
      ([key, { dtype, shape }]) => `${key} ${dtype}[${shape.join()}]`,
    );
    const key = [name, variant, ...signature].join(';');
    return { program: this.#programs.get(key, () => new Program(this.#backend, options)), args };
  }

  clear(): void {
    this.#programs.clear();
  }
}

const isValue = (node: unknown): node is Value => node instanceof Value;
const isNumber = (node: unknown): node is number => typeof node === 'number';

export class Program {
  readonly plan: Plan;
  readonly #backend: Backend;
  readonly #name: string;
  readonly #argumentNames: readonly string[];
  /** The indices of the outputs, nested as the trace returned its values; the traced graph is not retained. */
  readonly #outputs: Tree<number>;
  /** For each output, the position of the argument whose memory it replaces. */
  readonly #donate: readonly (number | undefined)[];
  #executable: Executable;
  /** Device memory of arguments that come from the host, reused by later runs. */
  readonly #uploads: (DeviceBuffer | undefined)[];
  #disposed = false;

  constructor(backend: Backend, options: ProgramOptions) {
    const { name, args: signatures, trace, frozen = [], prefetchable = [] } = options;
    const names = Object.keys(signatures);
    const args = Object.values(signatures).map(({ shape, dtype }) => new Value({ shape, dtype }));
    const { outputs, donate = [] } = trace(Object.fromEntries(names.map((key, i) => [key, args[i]])));
    const position = (key: string): number => names.indexOf(key);
    this.#backend = backend;
    this.#name = name;
    this.#argumentNames = names;
    let count = 0;
    this.#outputs = mapTree(outputs, isValue, () => count++) as Tree<number>;
    this.#donate = donate.map((key) => (key === undefined ? undefined : position(key)));
    this.plan = makePlan(args, leavesOf(outputs, isValue), {
      target: backend.target,
      donate: this.#donate,
      frozen: frozen.map(position),
      prefetchable: prefetchable.map(position),
    });
    this.#executable = backend.prepare(this.plan);
    this.#uploads = names.map(() => undefined);
  }

  /** Bytes of device memory that no other program uses: results that outlive a run, and arguments from the host. */
  get ownBytes(): number {
    const retained = this.plan.buffers.filter(({ kind, isRetained }) => kind === 'temporary' && isRetained);
    const uploads = this.#uploads.filter((buffer) => buffer !== undefined);
    return [...retained, ...uploads].reduce((sum, { size }) => sum + 4 * size, 0);
  }

  /** Queues a run and returns new tensors for the outputs, nested as the trace returned its values. */
  call(memory: Memory, args: NamedArguments): unknown {
    const tensors = this.plan.outputs.map(({ view, dtype }) => memory.allocate(view.shape, dtype));
    this.run(
      args,
      tensors.map(({ buffer }) => buffer),
    );
    return mapTree(this.#outputs, isNumber, (output) => tensors[output]);
  }

  /**
   * Queues a run.
   * @param outputs A buffer for each output that is not donated.
   * @param reads The outputs to read back.
   */
  run(
    args: NamedArguments,
    outputs: readonly DeviceBuffer[],
    reads: readonly number[] = [],
  ): Promise<NumberArray>[] {
    const buffers = this.#upload(args);
    return this.#executable.run(
      buffers,
      this.#outputBuffers(buffers, (i) => outputs[i]),
      reads,
    );
  }

  /**
   * Records a run into commands of the application.
   * @param outputs Tensors for the outputs that are not donated, nested as the trace returned its values.
   * @throws GatewiseError `argument` for an argument that is not a tensor, or for outputs of other shapes, dtypes or nesting.
   */
  encode(target: GPUCommandEncoder | GPUComputePassEncoder, args: NamedArguments, outputs: unknown): void {
    const executable = this.#executable;
    if (executable.encode === undefined)
      throw new GatewiseError(
        'unsupported',
        `encode: records GPU commands, and this runtime is on ${this.#backend.description}; call ${this.#name}`,
      );
    for (const [name, arg] of Object.entries(args))
      if (!(arg instanceof Tensor))
        throw new GatewiseError(
          'argument',
          `encode: ${name} must be a tensor, got numbers: make it once by runtime.tensor(), and write() it`,
        );
    const buffers = this.#upload(args);
    const own = this.#outputTensors(outputs).map(({ buffer }) => buffer);
    executable.encode(
      target,
      buffers,
      this.#outputBuffers(buffers, (i) => own[i]),
    );
  }

  /** The tensors of a tree that is nested as the outputs are. */
  #outputTensors(outputs: unknown): Tensor[] {
    const isTensor = (node: unknown): node is Tensor => node instanceof Tensor;
    const given = new Map<string, unknown>();
    mapTree(outputs, isTensor, (tensor, path) => given.set(path, tensor));
    const tensors: Tensor[] = [];
    mapTree(this.#outputs, isNumber, (output, path) => {
      const { view, dtype } = this.plan.outputs[output];
      const tensor = given.get(path);
      const what = `encode: expected a tensor ${dtype} ${show(view.shape)} of this runtime for output ${path === '' ? 'of the program' : path}`;
      if (!isTensor(tensor)) throw new GatewiseError('argument', `${what}, got ${show(tensor)}`);
      if (tensor.backend !== this.#backend || tensor.dtype !== dtype || !sameShape(tensor.shape, view.shape))
        throw new GatewiseError('shape', `${what}, got ${tensor.dtype} ${show(tensor.shape)}`);
      tensors[output] = tensor;
    });
    return tensors;
  }

  /** Whether steps may run before all arguments are known. */
  get hasPrefetch(): boolean {
    return this.plan.prefetchFrom.length > 0;
  }

  /**
   * Queues the steps that depend on frozen and prefetchable arguments alone. The next run reuses their results if these
   * arguments are unchanged, and recomputes them otherwise.
   */
  prefetch(args: Readonly<Record<string, Tensor>>, outputs: readonly (DeviceBuffer | undefined)[]): void {
    if (this.#disposed) return;
    // No prefetched step reads the other arguments or writes the other outputs.
    const unused = Object.values(args)[0].buffer;
    this.#executable.prefetch(
      this.#argumentNames.map((name) => args[name]?.buffer ?? unused),
      outputs.map((buffer) => buffer ?? unused),
    );
  }

  /** Times each step on copies of the arguments, so that donated ones stay unchanged. */
  profile(args: NamedArguments): Promise<Profile> {
    return this.#onCopies(args, async (inputs, outputs) =>
      profileOf(this.plan, await this.#executable.time(inputs, outputs), this.#backend.description),
    );
  }

  /** Measures which variants of its steps are fastest, on copies of the arguments, and uses them from the next run on. */
  tune(args: NamedArguments): Promise<readonly TunedKind[]> {
    return this.#onCopies(args, async (inputs, outputs) => {
      const tuned = await this.#executable.tune(inputs, outputs);
      if (this.#disposed)
        throw new GatewiseError('disposed', 'tune: what is tuned was disposed of; await the tuning first');
      // Prepared again even if nothing was measured: another program may have tuned the same kinds of steps.
      const replaced = this.#executable;
      this.#executable = this.#backend.prepare(this.plan);
      replaced.dispose();
      return tuned;
    });
  }

  /** The plan as text, with the variants and dispatches that the backend launches. */
  explain(): string {
    return printPlan(this.plan, this.#executable.launched());
  }

  async #onCopies<T>(
    args: NamedArguments,
    action: (inputs: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]) => Promise<T>,
  ): Promise<T> {
    const backend = this.#backend;
    const copies: DeviceBuffer[] = [];
    const own = (buffer: DeviceBuffer): DeviceBuffer => {
      copies.push(buffer);
      return buffer;
    };
    try {
      const inputs = this.#upload(args).map((buffer) => own(backend.copy(buffer)));
      const outputs = this.#outputBuffers(inputs, (i) => {
        const { view, dtype } = this.plan.outputs[i];
        return own(backend.createBuffer(sizeOf(view.shape), dtype));
      });
      return await action(inputs, outputs);
    } finally {
      for (const buffer of copies) buffer.destroy();
    }
  }

  /** For each output the buffer of its donated argument, or else one from `bufferOf`. */
  #outputBuffers(args: readonly DeviceBuffer[], bufferOf: (output: number) => DeviceBuffer): DeviceBuffer[] {
    return this.plan.outputs.map((_, i) => args[this.#donate[i] ?? -1] ?? bufferOf(i));
  }

  #upload(args: NamedArguments): DeviceBuffer[] {
    return this.#argumentNames.map((name, i) => {
      const arg = args[name];
      if (arg instanceof Tensor && arg.backend !== this.#backend)
        throw new GatewiseError(
          'argument',
          `${this.#name}: ${name} is a tensor of another runtime; read() it there and pass the data`,
        );
      for (const limit of this.plan.indexLimits) if (limit.argument === i) this.#check(name, arg, limit);
      if (arg instanceof Tensor) return arg.buffer;
      const buffer = (this.#uploads[i] ??= this.#backend.createBuffer(sizeOf(arg.shape), arg.dtype));
      this.#backend.write(buffer, arg.data);
      return buffer;
    });
  }

  /** Checks that indices or lengths are valid: of host data each element, of a tensor, which is on the device, its range. */
  #check(name: string, arg: Argument, { kind, limit, except, view }: IndexLimit): void {
    const least = kind === 'index' ? 0 : 1;
    const refuse = (found: string, hint = ''): never => {
      const expected = `${least} to ${limit - 1}${except === undefined ? '' : ` or ${except}`}`;
      throw new GatewiseError('argument', `${this.#name}: ${found}; expected ${expected}${hint}`);
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
