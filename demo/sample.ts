// Text from a model: draws each character from the model's distribution, and feeds it back.
import { Random } from '../src/core/random.ts';
import * as tools from '../src/tools/index.ts';
import type { Net, Stream } from '../src/index.ts';
import type { Vocabulary } from './text.ts';

export interface SampleOptions {
  /** How many characters. */
  readonly length: number;
  /** 1 draws from the model's own distribution; below 1 is safer, above 1 wilder, and 0 always takes the likeliest. */
  readonly temperature: number;
  readonly seed: number;
  /** What the model reads before it writes. */
  readonly prompt?: string;
}

/** Draws an index by exp(logits / temperature). */
export function draw(logits: ArrayLike<number>, temperature: number, random: Random): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  if (temperature === 0) return best;
  const odds = Array.from(logits, (logit) => Math.exp((logit - logits[best]) / temperature));
  let left = random.uniform() * odds.reduce((sum, odd) => sum + odd, 0);
  const drawn = odds.findIndex((odd) => (left -= odd) < 0);
  // Rounding can leave a small rest after the last index.
  return drawn < 0 ? best : drawn;
}

/** Writes with one net, by one stream, so that the memory of the states is allocated once. */
export class Sampler implements Disposable {
  readonly #stream: Stream;
  readonly #vocabulary: Vocabulary;

  constructor(net: Net, vocabulary: Vocabulary) {
    this.#stream = net.stream();
    // Its kernels compile first, so that the first sample is written while those of the training compile.
    tools.plan(this.#stream, 0);
    this.#vocabulary = vocabulary;
  }

  /**
   * Yields each character when it is drawn. The model starts at zero states and first reads a line break and the prompt.
   * @throws GatewiseError `argument` if it does not know a character of the prompt.
   */
  async *write({ length, temperature, seed, prompt = '' }: SampleOptions): AsyncGenerator<string> {
    const random = new Random(seed);
    const { characters } = this.#vocabulary;
    const start = Math.max(0, characters.indexOf('\n'));
    const read = [start, ...this.#vocabulary.encode(prompt)];
    let token = read.pop() ?? start;
    this.#stream.reset();
    for (const known of read) this.#stream.push(known).dispose();
    for (let i = 0; i < length; i++) {
      using logits = this.#stream.push(token);
      token = draw(await logits.read(), temperature, random);
      yield characters[token];
    }
  }

  [Symbol.dispose](): void {
    this.#stream.dispose();
  }
}
