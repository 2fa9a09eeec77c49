// gatewise itself, on WebGPU and on the CPU.
import packageJson from '../../package.json' with { type: 'json' };
import {
  adam,
  createRuntime,
  crossEntropy,
  GRU,
  Linear,
  LSTM,
  matmul,
  RNN,
  Sequential,
  serializeSafetensors,
  type Layer,
  type NamedTensor,
  type Profile,
  type Runtime,
  type RuntimeOptions,
  type Tensor,
} from '../../src/index.ts';
import type { Task, Weights } from '../data.ts';
import type { SequenceWorkload } from '../workloads.ts';
import type { Contestant, ContestantSource, Job } from './contestant.ts';

type Sizes = Pick<SequenceWorkload, 'cell' | 'inputSize' | 'hiddenSize'> &
  Partial<Pick<SequenceWorkload, 'numLayers' | 'bidirectional'>>;

function layerOf({ cell, ...options }: Sizes): Layer {
  const { inputSize, hiddenSize, numLayers = 1, bidirectional = false } = options;
  const layer = { lstm: LSTM, gru: GRU, rnn: RNN }[cell];
  return new layer({ inputSize, hiddenSize, numLayers, bidirectional });
}

/** Holds the latest of many results and gives back the memory of those before. */
class Latest {
  #tensor: Tensor | undefined;

  set(tensor: Tensor): void {
    this.#tensor?.dispose();
    this.#tensor = tensor;
  }

  async read(): Promise<Float32Array> {
    if (this.#tensor === undefined) throw new Error('read before run');
    return Float32Array.from(await this.#tensor.read());
  }

  dispose(): void {
    this.#tensor?.dispose();
  }
}

const prefixed = (prefix: string, weights: Weights): [string, NamedTensor][] =>
  [...weights].map(([name, value]) => [`${prefix}.${name}`, value]);

export interface GatewiseJob extends Job {
  /** What the steps of one run take. */
  profile(): Promise<Profile>;
}

/** A workload on a runtime; also what the reference of a training step is made of. */
export async function gatewiseJob(runtime: Runtime, task: Task): Promise<GatewiseJob> {
  const latest = new Latest();
  switch (task.kind) {
    case 'sequence': {
      const { workload, data } = task;
      const net = await runtime.load(layerOf(workload), { weights: serializeSafetensors(data.weights) });
      const x = runtime.tensor(data.input, { shape: [workload.steps, workload.batch, workload.inputSize] });
      return {
        run: () => latest.set(net.run(x)),
        read: () => latest.read(),
        profile: () => net.profile(x),
        dispose: () => [latest, x, net].forEach((one) => one.dispose()),
      };
    }
    case 'stream': {
      const { workload, data } = task;
      const net = await runtime.load(layerOf(workload), { weights: serializeSafetensors(data.weights) });
      const stream = net.stream();
      let step = 0;
      return {
        run: () => latest.set(stream.push(data.inputs[step++ % data.inputs.length])),
        read: () => latest.read(),
        // Of one step from zero states, without what hands a stream’s states on.
        profile: async () => {
          using x = runtime.tensor(data.inputs[0], { shape: [1, 1, workload.inputSize] });
          return await net.profile(x);
        },
        dispose: () => [latest, net].forEach((one) => one.dispose()),
      };
    }
    case 'training': {
      const { workload, data } = task;
      const { steps, batch, classes, hiddenSize, learningRate } = workload;
      const model = new Sequential([
        layerOf({ cell: workload.cell, inputSize: classes, hiddenSize }),
        new Linear(hiddenSize, classes),
      ]);
      const file = new Map([...prefixed('0', data.weights), ...prefixed('1', data.linear)]);
      const net = await runtime.load(model, { weights: serializeSafetensors(file) });
      const trainer = net.trainer({ loss: crossEntropy, optimizer: adam({ lr: learningRate }) });
      // As an application would: each step's batch comes from the host.
      const batchOf = () => [
        runtime.tensor(data.input, { shape: [steps, batch, classes] }),
        runtime.tensor(data.labels, { shape: [steps, batch] }),
      ];
      let loss: Promise<number> | undefined;
      return {
        run: () => {
          const [inputs, labels] = batchOf();
          loss = trainer.step(inputs, labels);
          inputs.dispose();
          labels.dispose();
        },
        read: async () => Float32Array.of((await loss) ?? Number.NaN),
        profile: async () => {
          const [inputs, labels] = batchOf();
          try {
            return await trainer.profile(inputs, labels);
          } finally {
            inputs.dispose();
            labels.dispose();
          }
        },
        dispose: () => [trainer, net].forEach((one) => one.dispose()),
      };
    }
    case 'matmul': {
      const { workload, data } = task;
      const a = runtime.tensor(data.a, { shape: [workload.rows, workload.inner] });
      const b = runtime.tensor(data.b, { shape: [workload.inner, workload.columns] });
      const product = runtime.compile(matmul);
      return {
        run: () => latest.set(product(a, b)),
        read: () => latest.read(),
        profile: () => product.profile(a, b),
        dispose: () => [latest, a, b, product].forEach((one) => one.dispose()),
      };
    }
  }
}

async function load(name: string, options: RuntimeOptions): Promise<Contestant> {
  const runtime = await createRuntime(options);
  return {
    name,
    library: 'gatewise',
    backend: runtime.backend.kind,
    version: packageJson.version,
    gru: 'reset after',
    biases: 2,
    prepare: (task) => gatewiseJob(runtime, task),
    dispose: () => runtime.dispose(),
  };
}

/** @param options where the device comes from: nothing in a browser, `gpu` in Node. */
export const gatewiseWebGPU = (options: RuntimeOptions = {}): ContestantSource => ({
  name: 'gatewise webgpu',
  key: 'gatewise',
  load: () => load('gatewise webgpu', { ...options, backend: 'webgpu' }),
});

export const gatewiseCPU: ContestantSource = {
  name: 'gatewise cpu',
  key: 'gatewise-cpu',
  load: () => load('gatewise cpu', { backend: 'cpu' }),
};
