// jax-js: recurrent layers written in its numpy. It has no loop over time, so all steps are traced into one program.
import packageJson from '../node_modules/@jax-js/jax/package.json' with { type: 'json' };
import type * as JAX from '@jax-js/jax';

import type { NamedTensor } from '../../src/index.ts';
import type { EmbeddingTask, MatmulTask, SequenceTask, StreamTask, TrainingTask, Weights } from '../data.ts';
import { swapAxes, weightOf } from '../data.ts';
import type { RecurrentKind } from '../workloads.ts';
import { jobOf as resultJob, preparing, Unsupported, type ContestantSource, type Job } from './contestant.ts';

type Library = typeof JAX;
type JaxArray = JAX.Array;

/** Steps of all layers and directions in one program. */
const MAX_STEPS = 512;
/** With gradients, which take several times as many kernels. */
const MAX_TRAINING_STEPS = 64;
/** The most arrays that jax-js concatenates in one kernel; it appends further arrays in more kernels. */
const CONCATENATED = 8;

/** One layer and direction: (I, G·H), (H, G·H), and twice (G·H). */
type Layer = Readonly<Record<'weightIh' | 'weightHh' | 'biasIh' | 'biasHh', JaxArray>>;

// As in jax-js, every function consumes its arguments: `ref` is one more use of an array.

/** A tensor on the device. A matrix (out, in) becomes (in, out), so that neighbouring outputs are neighbours in memory. */
function place({ numpy }: Library, { shape, data }: NamedTensor): JaxArray {
  if (shape.length === 1) return numpy.array(Float32Array.from(data), { shape: [...shape] });
  return numpy.array(swapAxes(data, shape[0], shape[1], 1), { shape: shape.toReversed() });
}

const placeLayer = (library: Library, weights: Weights, suffix: string): Layer => ({
  weightIh: place(library, weightOf(weights, `weight_ih_${suffix}`)),
  weightHh: place(library, weightOf(weights, `weight_hh_${suffix}`)),
  biasIh: place(library, weightOf(weights, `bias_ih_${suffix}`)),
  biasHh: place(library, weightOf(weights, `bias_hh_${suffix}`)),
});

/** One step from x · W + b_ih (B, G·H) and the states (B, H). */
type Step = (added: JaxArray, states: JaxArray[], weightHh: JaxArray, biasHh: JaxArray) => JaxArray[];

/** (B, G·H) as G times (B, H). The kernels of `numpy.split` are not fused with what follows. */
function gatesOf(sum: JaxArray, count: number): JaxArray[] {
  const width = sum.shape[1] / count;
  const gates = Array.from({ length: count }, (_, g) => sum.ref.slice([], [g * width, (g + 1) * width]));
  sum.dispose();
  return gates;
}

function stepOf({ numpy: np, nn }: Library, cell: RecurrentKind): Step {
  const recurrent = (h: JaxArray, weight: JaxArray, bias: JaxArray): JaxArray =>
    np.matmul(h, weight).add(bias);
  switch (cell) {
    case 'rnn':
      return (added, [h], weight, bias) => [np.tanh(added.add(recurrent(h, weight, bias)))];
    case 'lstm':
      return (input, [h, c], weight, bias) => {
        const [i, f, g, o] = gatesOf(input.add(recurrent(h, weight, bias)), 4);
        const added = nn.sigmoid(i).mul(np.tanh(g));
        const next = nn.sigmoid(f).mul(c).add(added);
        return [nn.sigmoid(o).mul(np.tanh(next.ref)), next];
      };
    case 'gru':
      return (added, [h], weight, bias) => {
        const [xr, xz, xn] = gatesOf(added, 3);
        const [hr, hz, hn] = gatesOf(recurrent(h.ref, weight, bias), 3);
        const n = np.tanh(xn.add(nn.sigmoid(xr.add(hr)).mul(hn)));
        return [n.ref.add(nn.sigmoid(xz.add(hz)).mul(h.sub(n)))];
      };
  }
}

/**
 * All outputs (T, B, H) over x (T, B, I); `reverse` from the last step to the first. `together` multiplies x of all
 * steps at once; jax-js would make the gradient of that from T arrays of the whole size.
 */
function runLayer(
  library: Library,
  cell: RecurrentKind,
  x: JaxArray,
  layer: Layer,
  { reverse, together }: { reverse: boolean; together: boolean },
): JaxArray {
  const { numpy: np, tree } = library;
  const step = stepOf(library, cell);
  const [steps, batch] = x.shape;
  const hiddenSize = layer.weightHh.shape[0];
  const add = (input: JaxArray): JaxArray => np.matmul(input, layer.weightIh.ref).add(layer.biasIh.ref);
  const input = together ? add(x) : x;
  let states = Array.from({ length: cell === 'lstm' ? 2 : 1 }, () => np.zeros([batch, hiddenSize]));
  const outputs: JaxArray[] = [];
  for (let i = 0; i < steps; i++) {
    const t = reverse ? steps - 1 - i : i;
    const now = input.ref.slice(t);
    states = step(together ? now : add(now), states, layer.weightHh.ref, layer.biasHh.ref);
    outputs[t] = states[0].ref.reshape([1, batch, hiddenSize]);
  }
  tree.dispose([input, layer, states]);
  return concatenate(library, outputs);
}

/** Concatenates as a tree, so that each number is copied only a few times. */
function concatenate(library: Library, arrays: readonly JaxArray[]): JaxArray {
  if (arrays.length === 1) return arrays[0];
  const lots: JaxArray[] = [];
  for (let i = 0; i < arrays.length; i += CONCATENATED)
    lots.push(library.numpy.concatenate(arrays.slice(i, i + CONCATENATED), 0));
  return concatenate(library, lots);
}

function checkSteps(steps: number, most: number): void {
  if (steps > most) throw new Unsupported(`no time loop: ${steps} steps in one program, ${most} are tried`);
}

/** Submits the work of an array now: jax-js defers it until a read, and drops the work of arrays that are disposed before. */
const submit = async (array: JaxArray): Promise<void> => void (await array.ref.gpuBuffer());

const jobOf = (run: () => JaxArray, ...free: readonly (() => void)[]): Job =>
  resultJob(run, (array) => array.ref.data(), free, submit);

function sequenceJob(library: Library, task: SequenceTask): Job {
  const { cell, steps, batch, inputSize, numLayers, bidirectional } = task;
  const { numpy: np, jit, tree } = library;
  const suffixes = bidirectional ? ['', '_reverse'] : [''];
  checkSteps(steps * numLayers * suffixes.length, MAX_STEPS);
  const layers = Array.from({ length: numLayers }, (_, l) =>
    suffixes.map((suffix) => placeLayer(library, task.weights, `l${l}${suffix}`)),
  );
  const x = np.array(Float32Array.from(task.input), { shape: [steps, batch, inputSize] });
  const forward = jit((input: JaxArray, stack: Layer[][]) =>
    stack.reduce((h, directions) => {
      const outputs = directions.map((layer, d) =>
        runLayer(library, cell, h.ref, layer, { reverse: d === 1, together: true }),
      );
      h.dispose();
      return outputs.length === 1 ? outputs[0] : np.concatenate(outputs, -1);
    }, input),
  );
  return jobOf(
    () => forward(x.ref, tree.ref(layers)),
    () => tree.dispose([x, layers]),
    () => forward.dispose(),
  );
}

function streamJob(library: Library, task: StreamTask): Job {
  const { cell, inputSize, hiddenSize } = task;
  const { numpy: np, jit, tree } = library;
  const layer = placeLayer(library, task.weights, 'l0');
  const update = stepOf(library, cell);
  const step = jit((x: JaxArray, states: JaxArray[], { weightIh, biasIh, weightHh, biasHh }: Layer) =>
    update(np.matmul(x, weightIh).add(biasIh), states, weightHh, biasHh),
  );
  let states = Array.from({ length: cell === 'lstm' ? 2 : 1 }, () => np.zeros([1, hiddenSize]));
  let at = 0;
  return jobOf(
    () => {
      const x = Float32Array.from(task.inputs[at++ % task.inputs.length]);
      states = step(np.array(x, { shape: [1, inputSize] }), states, tree.ref(layer));
      return states[0].ref;
    },
    () => tree.dispose([states, layer]),
    () => step.dispose(),
  );
}

function trainingJob(library: Library, task: TrainingTask): Job {
  const { cell, steps, batch, classes, hiddenSize, learningRate } = task;
  const { numpy: np, nn, jit, tree, valueAndGrad } = library;
  checkSteps(steps, MAX_TRAINING_STEPS);
  const rows = steps * batch;
  const model = {
    ...placeLayer(library, task.weights, 'l0'),
    weight: place(library, weightOf(task.linear, 'weight')),
    bias: place(library, weightOf(task.linear, 'bias')),
  };
  type Model = typeof model;

  const loss = ({ weight, bias, ...layer }: Model, x: JaxArray, labels: JaxArray): JaxArray => {
    const h = runLayer(library, cell, x, layer, { reverse: false, together: false });
    const logits = np.matmul(h.reshape([rows, hiddenSize]), weight).add(bias);
    const likelihood = nn.logSoftmax(logits, -1).mul(nn.oneHot(labels, classes));
    return likelihood.sum().mul(-1 / rows);
  };
  // As torch.optim.Adam; `scales` has what depends on the number of the step.
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
  const train = jit((before: Model, m: Model, v: Model, x: JaxArray, labels: JaxArray, scales: JaxArray) => {
    const [value, gradient] = valueAndGrad(loss)(tree.ref(before), x, labels);
    const [rate, correction] = [scales.ref.slice(0), scales.slice(1)];
    const first = (old: JaxArray, g: JaxArray): JaxArray => old.mul(beta1).add(g.mul(1 - beta1));
    const second = (old: JaxArray, g: JaxArray): JaxArray => old.mul(beta2).add(g.ref.mul(g).mul(1 - beta2));
    const update = (old: JaxArray, m: JaxArray, v: JaxArray): JaxArray =>
      old.sub(m.mul(rate.ref).div(np.sqrt(v).mul(correction.ref).add(epsilon)));
    const nextM = tree.map(first, m, tree.ref(gradient));
    const nextV = tree.map(second, v, gradient);
    const after = tree.map(update, before, tree.ref(nextM), tree.ref(nextV));
    [rate, correction].forEach((array) => array.dispose());
    return [after, nextM, nextV, value] as [Model, Model, Model, JaxArray];
  });

  const zeros = (): Model => tree.map((array: JaxArray) => np.zeros(array.shape), model) as Model;
  let [parameters, m, v] = [model, zeros(), zeros()];
  let step = 0;
  return jobOf(
    () => {
      step++;
      const scales = [learningRate / (1 - beta1 ** step), 1 / Math.sqrt(1 - beta2 ** step)];
      const x = np.array(Float32Array.from(task.input), { shape: [steps, batch, classes] });
      const labels = np.array(Int32Array.from(task.labels), { shape: [rows] });
      const results = train(parameters, m, v, x, labels, np.array(scales));
      [parameters, m, v] = results;
      return results[3];
    },
    () => tree.dispose([parameters, m, v]),
    () => train.dispose(),
  );
}

function matmulJob({ numpy: np, jit, tree }: Library, { a, b, rows, inner, columns }: MatmulTask): Job {
  const left = np.array(Float32Array.from(a), { shape: [rows, inner] });
  const right = np.array(Float32Array.from(b), { shape: [inner, columns] });
  const product = jit((x: JaxArray, y: JaxArray) => np.matmul(x, y));
  return jobOf(
    () => product(left.ref, right.ref),
    () => tree.dispose([left, right]),
    () => product.dispose(),
  );
}

function embeddingJob(library: Library, { rows, columns, count, ...task }: EmbeddingTask): Job {
  const { numpy: np, grad, jit, tree } = library;
  const table = np.zeros([rows, columns]);
  const tokens = np.array(Int32Array.from(task.tokens), { shape: [count] });
  const given = np.array(Float32Array.from(task.gradient), { shape: [count, columns] });
  const backward = jit((from: JaxArray, at: JaxArray, d: JaxArray) =>
    grad((x: JaxArray) => np.sum(np.take(x, at, 0).mul(d)))(from),
  );
  return jobOf(
    () => backward(table.ref, tokens.ref, given.ref),
    () => tree.dispose([table, tokens, given]),
    () => backward.dispose(),
  );
}

export const jaxWebGPU: ContestantSource = {
  name: 'jax-js webgpu',
  key: 'jax',
  library: 'jax-js',
  backend: 'webgpu',
  load: async () => {
    const library = await import('@jax-js/jax');
    if (!(await library.init('webgpu')).includes('webgpu'))
      throw new Error('jax-js has no webgpu device here');
    library.defaultDevice('webgpu');
    const makers = {
      sequence: sequenceJob,
      stream: streamJob,
      training: trainingJob,
      matmul: matmulJob,
      embedding: embeddingJob,
    };
    return { version: packageJson.version, prepare: preparing(library, makers) };
  },
};
