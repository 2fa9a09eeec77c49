// A runtime on the other side of a channel: the same numbers and errors as on this side.
import { MessageChannel } from 'node:worker_threads';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createRuntime, Dropout, LSTM, type Layer, type Runtime } from '../../src/index.ts';
import { mse, sgd, Trainer, type TrainerOptions } from '../../src/train/index.ts';
import { connect, serve, transfer, type Endpoint, type RemoteRuntime } from '../../src/worker/index.ts';
import { failure } from '../failure.ts';
import { backend } from '../setup/backend.ts';

const lstm = (): Layer => new LSTM({ inputSize: 2, hiddenSize: 3 });
const recipe: TrainerOptions = { loss: mse, optimizer: sgd({ lr: 0.5 }), stateful: true };
const x = [[[1, 2]], [[3, 4]]];
const y = [[[1, 0, 1]], [[0, 1, 0]]];

/** Both ends of a channel, which does not keep the process alive. */
function channel(): readonly [Endpoint, Endpoint] {
  const { port1, port2 } = new MessageChannel();
  for (const port of [port1, port2]) port.unref();
  return [port1, port2] as unknown as readonly [Endpoint, Endpoint];
}

describe(`on ${backend}`, () => {
  let own: Runtime;
  let remote: RemoteRuntime;
  beforeAll(async () => {
    const [there, here] = channel();
    serve(
      {
        runtime: { backend },
        models: { lstm, dropout: () => new Dropout({ p: 0.5 }) },
        trainers: { recipe },
      },
      there,
    );
    [own, remote] = [await createRuntime({ backend }), await connect(here)];
  });
  afterAll(async () => {
    own.dispose();
    await remote.dispose();
  });

  test('describes what it runs on', () => {
    expect(remote.description).toBe(own.backend.description);
    expect(remote.fallbackReason).toBeUndefined();
  });

  test('runs, streams and saves as on this side', async () => {
    const net = await own.load(lstm(), { seed: 3 });
    const far = await remote.load('lstm', { seed: 3 });
    expect(far.parameterCount).toBe(net.parameterCount);
    const expected = net.runWithStates(x, { lengths: [1], states: { h: [[[0.5, 0, 0]]] } });
    const got = await far.runWithStates(x, { lengths: [1], states: { h: [[[0.5, 0, 0]]] } });
    expect(got.output).toEqual({ shape: [2, 1, 3], dtype: 'f32', data: await expected.output.read() });
    expect(got.states['c'].data).toEqual(await expected.states['c'].read());
    expect((await far.run(x)).data).toEqual(await net.run(x).read());
    expect(await far.save({ by: 'me' })).toEqual(await net.save({ by: 'me' }));

    const [near, stream] = [net.stream(), await far.stream()];
    expect(stream.batch).toBe(1);
    expect((await stream.push([1, 2])).data).toEqual(await near.push([1, 2]).read());
    const fork = await stream.fork();
    const saved = await stream.save({ kind: 'net' });
    await stream.reset();
    expect((await stream.states())['h'].data).toEqual(new Float32Array(3));
    expect(await stream.load(saved)).toMatchObject({ kind: 'net', batch: '1' });
    const next = await near.push([3, 4]).read();
    for (const one of [fork, stream]) expect((await one.push([3, 4])).data).toEqual(next);
    await far.dispose();
    net.dispose();
  });

  test('trains as on this side, steps queued without awaiting', async () => {
    const net = await own.load(lstm(), { seed: 3 });
    const far = await remote.load('lstm', { seed: 3 });
    const trainer = new Trainer(net, recipe);
    const training = await far.trainer('recipe');
    const steps = [0, 1, 2];
    const losses = await Promise.all(steps.map(() => trainer.step(x, y)));
    expect(await Promise.all(steps.map(() => training.step(x, y)))).toEqual(losses);
    const checkpoint = await trainer.save();
    expect(await training.save()).toEqual(checkpoint);
    trainer.learningRate = 0.1;
    await training.setLearningRate(0.1);
    expect(await training.step(x, y)).toBe(await trainer.step(x, y));
    expect(await training.load(checkpoint)).toMatchObject({ optimizer: 'sgd', steps: '3' });
    await training.resetStates(0);
    expect(await training.save()).not.toEqual(checkpoint);
  });

  test('shows states, gates and gradients', async () => {
    const far = await remote.load('lstm', { seed: 3 });
    const { output, captured } = await far.run(x, { capture: ['h'] });
    expect(captured['h'].data).toEqual(output.data);
    const training = await far.trainer('recipe');
    const { loss, gradients } = await training.step(x, y, { capture: ['c', 'gates'] });
    expect(loss).toBeGreaterThan(0);
    expect(gradients['c'].shape).toEqual([2, 1, 1, 3]);
    expect(gradients['gates'].data.some((g) => g !== 0)).toBe(true);
  });

  test('copies arrays, and moves those that are marked', async () => {
    const far = await remote.load('lstm');
    const [copied, moved] = [new Float32Array(2).fill(1), transfer(new Float32Array(2).fill(1))];
    const stream = await far.stream();
    const [one, other] = [stream.push(copied), (await far.stream()).push(moved)];
    expect((await one).data).toEqual((await other).data);
    expect([copied.length, moved.length]).toEqual([2, 0]);
  });

  test('rejects with the error of the call, its code and advice', async () => {
    await expect(remote.load('gru')).rejects.toThrow(
      failure(
        'argument',
        'load: a model by a name that the worker serves was expected, one of ["lstm", "dropout"], got "gru"',
      ),
    );
    const far = await remote.load('lstm');
    await expect(far.trainer('none')).rejects.toThrow(failure('argument', /one of \["recipe"\], got "none"/));
    await expect(far.run([[[1]]])).rejects.toThrow(failure('shape', /LSTM/));
    const layer = lstm();
    await expect(far.run(x, { lengths: layer as never })).rejects.toThrow(
      failure('argument', /run: an argument cannot be sent to a worker [^]*pass numbers/),
    );
    const stream = await (await remote.load('dropout')).stream().catch((error: unknown) => error);
    expect(stream).toEqual(expect.objectContaining({ code: 'unsupported' }));
    await far.dispose();
    await expect(far.run(x)).rejects.toThrow(
      failure('disposed', 'worker: run() after dispose(); make the object again'),
    );
  });

  test('a runtime that cannot be made, and a worker that fails, reject', async () => {
    const [there, here] = channel();
    serve({ runtime: { backend: 'cpu', check: true }, models: {} }, there);
    await expect(connect(here)).rejects.toThrow(failure('argument', /check compares WebGPU with the CPU/));

    const target = new EventTarget();
    const broken = Object.assign(target, { postMessage: () => undefined });
    const connecting = connect(broken as Endpoint);
    target.dispatchEvent(Object.assign(new Event('error'), { message: 'SyntaxError in worker.js' }));
    await expect(connecting).rejects.toThrow(
      failure('unsupported', 'connect: the worker failed: SyntaxError in worker.js'),
    );
  });
});
