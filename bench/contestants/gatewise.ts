// gatewise itself, by its public entry points only.
import packageJson from '../../package.json' with { type: 'json' };
import type { Layer, NamedTensor, Runtime, RuntimeOptions, Tensor, Value } from '../../src/index.ts';
import type { Profile } from '../../src/tools/index.ts';
import type { Task, Weights } from '../data.ts';
import type { SequenceWorkload } from '../workloads.ts';
import { jobOf, type ContestantSource, type Job, type Variant } from './contestant.ts';
import { importBuild, type Library } from './library.ts';

type Sizes = Pick<SequenceWorkload, 'cell' | 'inputSize' | 'hiddenSize'> &
  Partial<Pick<SequenceWorkload, 'numLayers' | 'bidirectional'>> & { readonly bias?: boolean };

function layerOf(
  { LSTM, GRU, RNN, Recurrent, gruResetBefore }: Library,
  { cell, inputSize, hiddenSize, numLayers = 1, bidirectional = false, bias = true }: Sizes,
  { resetBefore = false }: Variant,
): Layer {
  const options = { inputSize, hiddenSize, numLayers, bidirectional, bias };
  if (cell === 'gru' && resetBefore) return new Recurrent('GRU', gruResetBefore, options);
  return new { lstm: LSTM, gru: GRU, rnn: RNN }[cell](options);
}

const prefixed = (prefix: string, weights: Weights): [string, NamedTensor][] =>
  [...weights].map(([name, value]) => [`${prefix}.${name}`, value]);

export interface GatewiseJob extends Job {
  /** The time of each step of one run. */
  profile(): Promise<Profile>;
}

/** The job of a workload on a runtime. On the CPU in float64, with the variants of peers, it makes the reference too. */
export async function gatewiseJob(
  library: Library,
  runtime: Runtime,
  task: Task,
  variant: Variant = {},
): Promise<GatewiseJob> {
  type Owned = readonly { dispose(): void }[];
  const jobFor = (run: () => Tensor, profile: () => Promise<Profile>, owned: Owned): GatewiseJob => {
    const free = owned.map((one) => () => one.dispose());
    return { ...jobOf(run, (result) => result.read(), free), profile };
  };
  switch (task.kind) {
    case 'sequence': {
      const weights = library.serializeSafetensors(task.weights);
      const net = await runtime.load(layerOf(library, task, variant), { weights });
      const x = runtime.tensor(task.input, { shape: [task.steps, task.batch, task.inputSize] });
      const [run, profile] = [() => net.run(x), () => library.profile(net, x)];
      return jobFor(run, profile, [x, net]);
    }
    case 'stream': {
      const weights = library.serializeSafetensors(task.weights);
      const net = await runtime.load(layerOf(library, task, variant), { weights });
      const stream = net.stream();
      let step = 0;
      const push = (): Tensor => stream.push(task.inputs[step++ % task.inputs.length]);
      // One step from zero states; the profile leaves out carrying the states over.
      const profile = async (): Promise<Profile> => {
        using x = runtime.tensor(task.inputs[0], { shape: [1, 1, task.inputSize] });
        return await library.profile(net, x);
      };
      return jobFor(push, profile, [net]);
    }
    case 'training': {
      const { cell, steps, batch, classes, hiddenSize, learningRate } = task;
      const bias = task.weights.has('bias_ih_l0');
      const inputSize = task.input.length / (steps * batch);
      const model = new library.Sequential([
        layerOf(library, { cell, inputSize, hiddenSize, bias }, variant),
        new library.Linear({ inputSize: hiddenSize, outputSize: classes }),
      ]);
      const file = new Map([...prefixed('0', task.weights), ...prefixed('1', task.linear)]);
      const net = await runtime.load(model, { weights: library.serializeSafetensors(file) });
      const optimizer = library.adam({ lr: learningRate });
      const trainer = new library.Trainer(net, { loss: library.crossEntropy, optimizer });
      // As in an application, each step's batch comes from the host.
      const inputsOf = (): Tensor => runtime.tensor(task.input, { shape: [steps, batch, inputSize] });
      const labelsOf = (): Tensor => runtime.tensor(task.labels, { shape: [steps, batch] });
      let loss: Promise<number> | undefined;
      return {
        run: () => {
          using inputs = inputsOf();
          using labels = labelsOf();
          loss = trainer.step(inputs, labels);
        },
        read: async () => Float32Array.of((await loss) ?? Number.NaN),
        profile: async () => {
          using inputs = inputsOf();
          using labels = labelsOf();
          return await library.profile(trainer, inputs, labels);
        },
        dispose: () => [trainer, net].forEach((one) => one.dispose()),
      };
    }
    case 'matmul': {
      const a = runtime.tensor(task.a, { shape: [task.rows, task.inner] });
      const b = runtime.tensor(task.b, { shape: [task.inner, task.columns] });
      const product = runtime.compile(library.matmul);
      const [run, profile] = [() => product(a, b), () => library.profile(product, a, b)];
      return jobFor(run, profile, [a, b, product]);
    }
    case 'embedding': {
      const { rows, columns, count } = task;
      const { gather, grad, mul, sum } = library;
      const table = runtime.tensor(new Float32Array(rows * columns), { shape: [rows, columns] });
      const tokens = runtime.tensor(task.tokens, { shape: [count] });
      const d = runtime.tensor(task.gradient, { shape: [count, columns] });
      const backward = runtime.compile(
        grad((from: Value, at: Value, given: Value) => sum(mul(gather(from, at), given))),
      );
      const run = (): Tensor => backward(table, tokens, d);
      const profile = (): Promise<Profile> => library.profile(backward, table, tokens, d);
      return jobFor(run, profile, [table, tokens, d, backward]);
    }
  }
}

/** @param at the commit of another build, which is named after it. @param options `gpu` in Node */
export const gatewise = (
  backend: 'webgpu' | 'cpu',
  importLibrary: () => Promise<Library>,
  options: RuntimeOptions = {},
  at?: string,
): ContestantSource => ({
  name: at === undefined ? `gatewise ${backend}` : `gatewise ${at}`,
  library: 'gatewise',
  key: backend === 'cpu' ? 'gatewise-cpu' : 'gatewise',
  backend,
  load: async () => {
    const library = await importLibrary();
    const runtime = await library.createRuntime({ ...options, backend });
    return {
      version: at ?? packageJson.version,
      prepare: (task) => gatewiseJob(library, runtime, task),
      dispose: () => runtime.dispose(),
    };
  },
});

/** A build made by `--against`: of the working tree, or of a commit. */
export interface Build {
  /** Address of its index.js. */
  readonly url: string;
  /** Absent: the working tree. */
  readonly commit?: string;
}

export const gatewiseBuild = ({ url, commit }: Build, options?: RuntimeOptions): ContestantSource =>
  gatewise('webgpu', () => importBuild(url), options, commit);
