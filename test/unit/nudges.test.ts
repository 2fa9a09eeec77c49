// What is sent to a device while a result is waited for, with a device made up here.
import { beforeEach, expect, test, vi } from 'vitest';

import { Nudges, type Looks } from '../../src/backend/webgpu/nudges.ts';

/** Answers a scope after a turn of the event loop, as a device does that need not wait for its work. */
function makeDevice() {
  const scopes: string[] = [];
  const submit = vi.fn<(commands: readonly unknown[]) => void>();
  const popErrorScope = vi.fn<() => Promise<null>>(async () => {
    scopes.push('pop');
    await new Promise((resolve) => setTimeout(resolve, 0));
    return null;
  });
  const pushErrorScope = (): void => void scopes.push('push');
  // A stand-in: nothing else of a device is used.
  const device = { pushErrorScope, popErrorScope, queue: { submit } } as unknown as GPUDevice;
  return { device, scopes, submit, popErrorScope };
}

const after = (milliseconds: number): Promise<string> =>
  new Promise((resolve) => setTimeout(() => resolve('answer'), milliseconds));
const LONG = 200;

let made: ReturnType<typeof makeDevice>;
const nudges = (looks: Looks): Nudges => new Nudges(made.device, looks);
beforeEach(() => {
  made = makeDevice();
});

test('where the device is asked by itself nothing is sent', async () => {
  expect(await nudges('always').during(after(20))).toBe('answer');
  expect(made.scopes).toEqual([]);
  expect(made.submit).not.toHaveBeenCalled();
});

test('in a browser a few scopes are pushed and popped at once, and no more when the answer is there', async () => {
  const own = nudges('often');
  expect(await own.during(after(4))).toBe('answer');
  const sent = made.scopes.length;
  expect(sent).toBeGreaterThan(0);
  for (let i = 0; i < sent; i += 2) expect(made.scopes.slice(i, i + 2)).toEqual(['push', 'pop']);
  await after(20);
  expect(made.scopes.length).toBeLessThanOrEqual(sent + 2);
  expect(made.submit).not.toHaveBeenCalled();
});

test('what takes long is left alone, and tried again some time later', async () => {
  const own = nudges('often');
  const counts: number[] = [];
  for (let wait = 0; wait < 17; wait++) {
    made.popErrorScope.mockClear();
    await own.during(after(wait === 0 ? LONG : 2));
    counts.push(made.popErrorScope.mock.calls.length);
  }
  expect(counts[0]).toBe(8);
  expect(counts.slice(1, 16)).toEqual(Array.from({ length: 15 }, () => 0));
  expect(counts[16]).toBeGreaterThan(0);
});

test('waits at once share what is sent', async () => {
  const own = nudges('often');
  await Promise.all([own.during(after(LONG)), own.during(after(LONG))]);
  // The first, then all that the second begins with.
  expect(made.popErrorScope).toHaveBeenCalledTimes(9);
});

test('where a browser looks rarely it is sent empty work until the answer is there', async () => {
  expect(await nudges('rarely').during(after(60))).toBe('answer');
  const sent = made.submit.mock.calls.length;
  expect(sent).toBeGreaterThan(2);
  expect(made.submit).toHaveBeenCalledWith([]);
  expect(made.scopes).toEqual([]);
  await after(40);
  expect(made.submit.mock.calls.length).toBeLessThanOrEqual(sent + 1);
});

test('a failure is the answer, and a device that answers no scope any more is no other one', async () => {
  made.popErrorScope.mockRejectedValue(new Error('lost'));
  await expect(
    nudges('often').during(after(20).then(() => Promise.reject(new Error('lost, too')))),
  ).rejects.toThrow('lost, too');
});
