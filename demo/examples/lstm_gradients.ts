// The gradients of an LSTM against PyTorch's: LSTM(10, 20) over 5 steps of 3 sequences from a zero state, and as the
// loss the sum of all it puts out. In PyTorch:
//
//   lstm = torch.nn.LSTM(10, 20)
//   output, _ = lstm(x)
//   output.sum().backward()
//
// The file holds PyTorch's weights, its input and the gradients that it found.
import { valueAndGrad } from '../../src/train/index.ts';
import { LSTM, parseSafetensors, sum, type Runtime, type Value } from '../../src/index.ts';
import { main } from './support/main.ts';

const FILE = new URL('../../test/fixtures/teaching/lstm_10_20_sum.safetensors', import.meta.url);

export interface WeightGradient {
  readonly name: string;
  readonly shape: readonly number[];
  /** The largest element of PyTorch's gradient, without its sign. */
  readonly largest: number;
  /** The largest difference of any element. */
  readonly error: number;
}

/** The gradient of every weight beside PyTorch's. @param file the bytes of the safetensors file. */
export async function lstmGradients(runtime: Runtime, file: Uint8Array): Promise<WeightGradient[]> {
  const { tensors } = parseSafetensors(file);
  const read = (name: string) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`expected a tensor ${name} in the file, found none`);
    return tensor;
  };

  const lstm = new LSTM({ inputSize: 10, hiddenSize: 20 });
  const loss = (parameters: Readonly<Record<string, Value>>, x: Value): Value =>
    sum(lstm.forward(x, parameters).output);

  const input = (name: string) => runtime.tensor(read(name).data, { shape: read(name).shape });
  const parameters = Object.fromEntries(lstm.parameters.map(({ name }) => [name, input(`param.${name}`)]));
  const [, gradient] = runtime.compile(valueAndGrad(loss))(parameters, input('input'));

  return Promise.all(
    lstm.parameters.map(async ({ name, shape }) => {
      const found = await gradient[name].read();
      const expected = read(`expected_grad.param.${name}`).data;
      const errors = Array.from(expected, (value, i) => Math.abs(value - found[i]));
      return {
        name,
        shape,
        largest: Math.max(...Array.from(expected, Math.abs)),
        error: Math.max(...errors),
      };
    }),
  );
}

await main(import.meta.url, async (runtime) => {
  const { readFileSync } = await import('node:fs');
  for (const { name, shape, largest, error } of await lstmGradients(runtime, readFileSync(FILE))) {
    const size = shape.join('×').padEnd(6);
    console.log(
      `${name.padEnd(12)} ${size} largest ${largest.toFixed(6)}, off by at most ${error.toExponential(1)}`,
    );
  }
});
