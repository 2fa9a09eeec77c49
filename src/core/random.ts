// The counter-based random number generator Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011). Number n is a function of (seed, stream, n), so that numbers can be computed on any backend and in any order.

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** The high 32 bits of the product of two numbers of 32 bits, by the halves of 16 bits of each. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const low = Math.imul(aLow, bLow) >>> 16;
  const middle = Math.imul(aHigh, bLow) >>> 0;
  const cross = Math.imul(aLow, bHigh) >>> 0;
  const carry = (low + (middle & 0xffff) + (cross & 0xffff)) >>> 16;
  return Math.imul(aHigh, bHigh) + (middle >>> 16) + (cross >>> 16) + carry;
}

/** Writes the four words for one counter under one key to `words`. */
function fill(words: Uint32Array, counter: readonly number[], key: readonly number[]): void {
  let c0 = counter[0] | 0;
  let c1 = counter[1] | 0;
  let c2 = counter[2] | 0;
  let c3 = counter[3] | 0;
  let k0 = key[0] | 0;
  let k1 = key[1] | 0;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(M0, c0);
    const high1 = multiplyHigh(M1, c2);
    const low0 = Math.imul(M0, c0);
    const low1 = Math.imul(M1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + W0) | 0;
    k1 = (k1 + W1) | 0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/** Four 32-bit words for one counter under one key. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  const words = new Uint32Array(4);
  fill(words, counter, key);
  return [words[0], words[1], words[2], words[3]];
}

/** A uniform number in [0, 1) from the upper 24 bits of a word: float32 represents it exactly, so all backends agree. */
export function unitUniform(word: number): number {
  return (word >>> 8) / 2 ** 24;
}

/** A sequence of random numbers. */
export class Random {
  readonly seed: number;
  readonly stream: number;
  readonly #key: readonly number[];
  readonly #counter: number[];
  readonly #words = new Uint32Array(4);
  /** Words of `#words` that are used up. */
  #used = 4;

  /** @param stream Streams of one seed are independent. @param counter The first counter value. */
  constructor(seed: number, stream = 0, counter = 0) {
    this.seed = seed;
    this.stream = stream;
    this.#key = [seed, Math.floor(seed / 2 ** 32)];
    this.#counter = [counter, stream, 0, 0];
  }

  #word(): number {
    if (this.#used === 4) {
      fill(this.#words, this.#counter, this.#key);
      this.#counter[0]++;
      this.#used = 0;
    }
    return this.#words[this.#used++];
  }

  /** Uniform in [low, high), with 32 random bits. */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * (this.#word() / 2 ** 32);
  }

  /** An integer in [0, n). */
  integer(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** A normal number with mean 0 and standard deviation 1, by the Box-Muller transform. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log((this.#word() + 1) / 2 ** 32));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }
}
