// A text as a character model sees it: a vocabulary, a token for each character, and batches cut out of it.
import { Random } from '../src/core/random.ts';
import { GatewiseError } from '../src/index.ts';

/** Stands for each character that is too rare to learn, or that a model does not know. */
export const PLACEHOLDER = '\uFFFD';
const PLACEHOLDER_POINT = PLACEHOLDER.charCodeAt(0);
const MAX_CHARACTERS = 96;
const CODE_POINTS = 0x11_0000;
// The random stream of batches. Weights use the streams 0, 1, 2, … of a seed, one per parameter, so this is none of them.
const BATCH_STREAM = 0x6261_7463;
const WORDS_PER_BLOCK = 4;
// How many UTF-16 units are read between two reports of progress.
const PROGRESS_EVERY = 2 ** 22;

/** Receives the share of the work that is done, from 0 to 1. */
export type OnProgress = (share: number) => void;

/** The characters a model knows, and the token of each: its place in the list. */
export class Vocabulary {
  /** Sorted by code point; the placeholder, where there is one, is the last. */
  readonly characters: readonly string[];
  /** By code point; -1 where there is none. A table, because a long text is looked up character by character. */
  readonly #tokens: Int32Array;

  constructor(characters: readonly string[]) {
    this.characters = characters;
    this.#tokens = new Int32Array(CODE_POINTS).fill(characters.indexOf(PLACEHOLDER));
    for (const [token, character] of characters.entries())
      this.#tokens[character.codePointAt(0) ?? 0] = token;
  }

  /** The `limit` most frequent characters of a text, and one placeholder for the others if there are any. */
  static of(text: string, limit = MAX_CHARACTERS, onProgress?: OnProgress): Vocabulary {
    const counts = new Uint32Array(CODE_POINTS);
    scan(text, (point) => counts[point]++, onProgress);
    const found: number[] = [];
    for (let point = 0; point < CODE_POINTS; point++) if (counts[point] > 0) found.push(point);
    const kept = found
      .filter((point) => point !== PLACEHOLDER_POINT)
      .sort((a, b) => counts[b] - counts[a] || a - b)
      .slice(0, limit)
      .sort((a, b) => a - b)
      .map((point) => String.fromCodePoint(point));
    return new Vocabulary(kept.length < found.length ? [...kept, PLACEHOLDER] : kept);
  }

  get size(): number {
    return this.characters.length;
  }

  /** @throws GatewiseError if a character is unknown and there is no placeholder. */
  encode(text: string, onProgress?: OnProgress): Int32Array {
    const tokens = new Int32Array(text.length);
    let count = 0;
    const add = (point: number): void => {
      const token = this.#tokens[point];
      if (token < 0) {
        const character = JSON.stringify(String.fromCodePoint(point));
        throw new GatewiseError(
          'argument',
          `encode: the character ${character} is not one of the ${this.size} that the model knows`,
        );
      }
      tokens[count++] = token;
    };
    scan(text, add, onProgress);
    return tokens.slice(0, count);
  }

  decode(tokens: Iterable<number>): string {
    return Array.from(tokens, (token) => {
      const character = this.characters[token];
      if (character === undefined)
        throw new GatewiseError('argument', `decode: expected tokens below ${this.size}, got ${token}`);
      return character;
    }).join('');
  }
}

/** Visits the characters of a text by their code points. */
function scan(text: string, visit: (point: number) => void, onProgress?: OnProgress): void {
  let due = 0;
  for (let i = 0; i < text.length; i++) {
    if (i >= due) {
      onProgress?.(i / text.length);
      due += PROGRESS_EVERY;
    }
    const point = text.codePointAt(i) ?? 0;
    if (point > 0xffff) i++;
    visit(point);
  }
}

/** A text that a model can learn. */
export interface Corpus {
  readonly name: string;
  /** Identifies a text: a checkpoint stores the hash of the text that it learned. */
  readonly hash: string;
  readonly vocabulary: Vocabulary;
  readonly tokens: Int32Array;
}

/** @throws GatewiseError if the text is too short, or is not text. */
export function readCorpus(name: string, content: string, onProgress?: OnProgress): Corpus {
  const text = content.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  if (text.includes('\0'))
    throw new GatewiseError('file', `${name}: expected a text file, got one with zero bytes`);
  // Counting is the first half of the work, encoding the second.
  const vocabulary = Vocabulary.of(text, MAX_CHARACTERS, (share) => onProgress?.(share / 2));
  if (vocabulary.size < 2)
    throw new GatewiseError(
      'file',
      `${name}: expected a text of different characters, got ${vocabulary.size}`,
    );
  const tokens = vocabulary.encode(text, (share) => onProgress?.((1 + share) / 2));
  return { name, hash: hashOf(text), vocabulary, tokens };
}

/** Length and FNV-1a of the UTF-16 units: short and the same everywhere, but no proof against forgery. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return `${text.length}-${(hash >>> 0).toString(16).padStart(8, '0')}`;
}

/** Windows of a text, cut at random places. */
export class Batches {
  readonly #tokens: Int32Array;
  readonly sequence: number;
  readonly batch: number;
  readonly seed: number;

  /** @param sequence Characters in a window, T. @param batch Windows side by side, B. */
  constructor(tokens: Int32Array, sequence: number, batch: number, seed: number) {
    if (tokens.length <= sequence) {
      throw new GatewiseError(
        'argument',
        `text: expected more than ${sequence} characters (the sequence length), got ${tokens.length}; take a longer text, or a shorter sequence`,
      );
    }
    this.#tokens = tokens;
    this.sequence = sequence;
    this.batch = batch;
    this.seed = seed;
  }

  /** Inputs x and targets y, each (T, B) in row-major order. They depend on the seed and `step` (from 0) alone. */
  at(step: number): { x: Int32Array; y: Int32Array } {
    const { sequence, batch, seed } = this;
    const random = new Random(seed, BATCH_STREAM, step * Math.ceil(batch / WORDS_PER_BLOCK));
    const x = new Int32Array(sequence * batch);
    const y = new Int32Array(sequence * batch);
    for (let b = 0; b < batch; b++) {
      const start = random.integer(this.#tokens.length - sequence);
      for (let t = 0; t < sequence; t++) {
        x[t * batch + b] = this.#tokens[start + t];
        y[t * batch + b] = this.#tokens[start + t + 1];
      }
    }
    return { x, y };
  }
}

/** The losses of simpler predictors, in nats per character, to compare a loss with. */
export interface Baselines {
  /** All characters are equally likely. */
  readonly uniform: number;
  /** The predictor knows how often each character occurs. */
  readonly frequency: number;
  /** The predictor knows how often each character follows the one before it. */
  readonly pairs: number;
}

export function baselinesOf({ tokens, vocabulary: { size } }: Corpus): Baselines {
  const single = new Float64Array(size);
  const pairs = new Float64Array(size * size);
  for (let i = 1; i < tokens.length; i++) {
    single[tokens[i - 1]]++;
    pairs[tokens[i - 1] * size + tokens[i]]++;
  }
  const frequency = entropy(single);
  return { uniform: Math.log(size), frequency, pairs: entropy(pairs) - frequency };
}

function entropy(counts: Float64Array): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return -counts.reduce(
    (sum, count) => (count === 0 ? sum : sum + (count / total) * Math.log(count / total)),
    0,
  );
}
