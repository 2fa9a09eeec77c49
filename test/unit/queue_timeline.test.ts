// The order of work on a queue while pipelines compile.
import { expect, test } from 'vitest';

import { QueueTimeline } from '../../src/backend/webgpu/queue_timeline.ts';

/** A timeline, what it has done, and a compilation that ends on demand. */
function setUp() {
  const timeline = new QueueTimeline();
  const done: string[] = [];
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => (resolve = settle));
  const act = (name: string) => (): string => {
    done.push(name);
    return name;
  };
  return { timeline, done, act, compiling: promise, compiled: () => resolve() };
}

test('acts at once where nothing has to be compiled', () => {
  const { timeline, done, act } = setUp();
  expect(timeline.enqueue(act('write'))).toBe('write');
  expect(done).toEqual(['write']);
});

test('keeps the order of the calls behind an action that waits', async () => {
  const { timeline, done, act, compiling, compiled } = setUp();
  const run = timeline.enqueue(act('run'), compiling);
  const read = timeline.enqueue(act('read'));
  expect(timeline.isWaiting).toBe(true);
  await Promise.resolve();
  expect(done).toEqual([]);
  compiled();
  expect([await run, await read]).toEqual(['run', 'read']);
  expect(done).toEqual(['run', 'read']);
  expect(timeline.isWaiting).toBe(false);
});

test('a flush acts now, once, and an action after it waits for its own pipelines', async () => {
  const { timeline, done, act, compiling, compiled } = setUp();
  void timeline.enqueue(act('first'), compiling);
  timeline.flush();
  expect(done).toEqual(['first']);
  const other = setUp();
  const second = timeline.enqueue(act('second'), other.compiling);
  compiled();
  await compiling;
  expect(done).toEqual(['first']);
  other.compiled();
  await second;
  expect(done).toEqual(['first', 'second']);
});

test('an action that throws rejects its own promise, and the next one still acts', async () => {
  const { timeline, act, compiling, compiled } = setUp();
  const failed = timeline.enqueue(() => {
    throw new Error('refused');
  }, compiling);
  const next = timeline.enqueue(act('next'));
  compiled();
  await expect(failed).rejects.toThrow('refused');
  expect(await next).toBe('next');
});
