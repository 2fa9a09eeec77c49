// The counter-based random number generator Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// Number n is a function of (seed, stream, n), so that numbers can be computed on any backend and in any order.

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** The high and low 32 bits of the product of two 32-bit numbers. */
function multiply(a: number, b: number): [high: number, low: number] {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  const high = aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000);
  return [high >>> 0, Math.imul(a, b) >>> 0];
}

/** Four 32-bit words for one counter under one key. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiply(M0, c0);
    const [high1, low1] = multiply(M1, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** A uniform number in [0, 1) from the upper 24 bits of a word: float32 represents it exactly, so all backends agree. */
export function unitUniform(word: number): number {
  return (word >>> 8) / 2 ** 24;
}

/** A sequence of random numbers. */
export class Random {
  readonly seed: number;
  readonly stream: number;
  #counter: number;
  #words: number[] = [];

  /** @param stream Streams of one seed are independent. @param counter The first counter value. */
  constructor(seed: number, stream = 0, counter = 0) {
    this.seed = seed;
    this.stream = stream;
    this.#counter = counter;
  }

  #word(): number {
    if (this.#words.length === 0) {
      const high = Math.floor(this.seed / 2 ** 32) >>> 0;
      this.#words = philox(
        [this.#counter++ >>> 0, this.stream >>> 0, 0, 0],
        [this.seed >>> 0, high],
      ).reverse();
    }
    return this.#words.pop() as number;
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
