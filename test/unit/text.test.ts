// The demo's texts: characters as tokens, batches by seed, and sampling.
import { assert, property, string } from 'fast-check';
import { describe, expect, test } from 'vitest';

import { draw } from '../../demo/sample.ts';
import { baselinesOf, Batches, PLACEHOLDER, readCorpus, Vocabulary } from '../../demo/text.ts';
import { Random } from '../../src/core/random.ts';

describe('vocabulary', () => {
  test('has every character once, in the order of code points', () => {
    expect(Vocabulary.of('banana 😀\nA').characters).toEqual(['\n', ' ', 'A', 'a', 'b', 'n', '😀']);
  });

  test('gives one placeholder, the last, to all but the most frequent', () => {
    const vocabulary = Vocabulary.of('eeee ddd cc b\u{1F433}', 3);
    expect(vocabulary.characters).toEqual([' ', 'd', 'e', PLACEHOLDER]);
    expect([...vocabulary.encode('ed\u{1F433}b c')]).toEqual([2, 1, 3, 3, 0, 3]);
    expect(vocabulary.decode([2, 1, 3])).toBe(`ed${PLACEHOLDER}`);
  });

  test('has at most 96 characters and the placeholder', () => {
    const text = String.fromCodePoint(...Array.from({ length: 300 }, (_, i) => 0x4e00 + i));
    expect(Vocabulary.of(text).size).toBe(97);
  });

  test('treats a placeholder character in the text as the placeholder', () => {
    expect(Vocabulary.of(`ab${PLACEHOLDER}`).characters).toEqual(['a', 'b', PLACEHOLDER]);
  });

  test('decodes what it has encoded of its own text', () => {
    assert(
      property(string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        const vocabulary = Vocabulary.of(text, Infinity);
        expect(vocabulary.decode(vocabulary.encode(text))).toBe(text);
      }),
    );
  });

  test('tells how far it is, also where characters of two UTF-16 units lie across the marks', () => {
    const shares: number[] = [];
    Vocabulary.of(`a${'😀'.repeat(2 ** 22 + 1)}`, 96, (share) => shares.push(share));
    expect(shares.map((share) => share.toFixed(3))).toEqual(['0.000', '0.500', '1.000']);
  });

  test('refuses unknown characters where it has no placeholder', () => {
    expect(() => Vocabulary.of('abc').encode('abd')).toThrow(/"d" is not one of the 3/);
    expect(() => Vocabulary.of('abc').decode([3])).toThrow(/below 3, got 3/);
  });
});

describe('corpus', () => {
  test('does not depend on line endings and byte order marks', () => {
    const plain = readCorpus('a', 'one\ntwo\n');
    expect(readCorpus('a', '\uFEFFone\r\ntwo\r\n')).toEqual(plain);
    expect(readCorpus('a', 'one\ntwo!').hash).not.toBe(plain.hash);
    expect(readCorpus('a', 'eno\ntwo\n').hash).not.toBe(plain.hash);
  });

  test.each([
    ['', /different characters, got 0/],
    ['aaaa', /different characters, got 1/],
    ['PK\0\0', /zero bytes/],
  ])('refuses %j', (text, message) => {
    expect(() => readCorpus('x.txt', text)).toThrow(message);
  });
});

// Each token is its position, so that a window shows where it starts.
const places = Int32Array.from({ length: 100 }, (_, i) => i);

describe('batches', () => {
  test('are windows of the text in (T, B), with targets one further', () => {
    const { x, y } = new Batches(places, 7, 3, 1).at(0);
    expect(x.length).toBe(21);
    for (let t = 0; t < 7; t++) for (let b = 0; b < 3; b++) expect(x[t * 3 + b]).toBe(x[b]! + t);
    expect([...y]).toEqual([...x].map((token) => token + 1));
  });

  test('reach every position of the text and none outside', () => {
    const batches = new Batches(places.subarray(0, 10), 7, 5, 3);
    const starts = new Set(
      Array.from({ length: 40 }, (_, step) => Array.from(batches.at(step).x.slice(0, 5))).flat(),
    );
    expect([...starts].sort()).toEqual([0, 1, 2]);
  });

  test('depend on the seed and the step alone', () => {
    const of = (seed: number): number[][] =>
      Array.from({ length: 6 }, (_, step) => [...new Batches(places, 7, 6, seed).at(step).x]);
    const first = of(1);
    expect(of(1)).toEqual(first);
    expect(of(2)).not.toEqual(first);
    expect(new Set(first.map(String)).size).toBe(6);
    // As after a resume: step 4 without the steps before it.
    expect([...new Batches(places, 7, 6, 1).at(4).x]).toEqual(first[4]);
  });

  test('refuse a text that is not longer than a window', () => {
    expect(new Batches(places, 99, 2, 1).at(0).x[0]).toBe(0);
    expect(() => new Batches(places, 100, 2, 1)).toThrow(/more than 100 characters.*got 100/);
  });
});

test('baselines: the losses of the three simplest models', () => {
  // a b a b …: a pair predicts the next character, single characters are half of the text each.
  const { uniform, frequency, pairs } = baselinesOf(readCorpus('ab', `${'ab'.repeat(500)}a`));
  expect(uniform).toBeCloseTo(Math.LN2, 6);
  expect(frequency).toBeCloseTo(Math.LN2, 6);
  expect(pairs).toBeCloseTo(0, 6);
});

describe('draw', () => {
  const logits = [0, Math.log(3), -1e9];
  const share = (temperature: number): number => {
    const random = new Random(5);
    const drawn = Array.from({ length: 4000 }, () => draw(logits, temperature, random));
    expect(drawn).not.toContain(2);
    return drawn.filter((index) => index === 1).length / drawn.length;
  };

  test('follows the probabilities, sharper at low and flatter at high temperature', () => {
    expect(share(1)).toBeCloseTo(0.75, 1);
    expect(share(0.5)).toBeCloseTo(0.9, 1);
    expect(share(1000)).toBeCloseTo(0.5, 1);
    expect(share(0)).toBe(1);
  });
});
