// What is sent to a device while a result is waited for, with a device made up here.
import { beforeEach, expect, test, vi } from 'vitest';

import { looksOf, Nudges, type Looks } from '../../src/backend/webgpu/nudges.ts';

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

test('how surroundings look is told by what they are', () => {
  const firefox = { userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' };
  const chrome = {
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36',
  };
  expect(looksOf({ navigator: chrome })).toBe('always');
  expect(looksOf({ window: {}, navigator: chrome })).toBe('often');
  expect(looksOf({ WorkerGlobalScope: {}, navigator: firefox })).toBe('rarely');
  // Node, with a stand-in for a window.
  expect(looksOf({ window: {} })).toBe('always');
  expect(looksOf({ window: {}, navigator: {} })).toBe('always');
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

test('what takes somewhat longer twice in turn is left alone, and tried again some time later', async () => {
  const own = nudges('often');
  // Answered by what is sent: as many scopes as there are, and a moment.
  const exhausted = async (): Promise<number> => {
    made.popErrorScope.mockClear();
    let answer = (): void => undefined;
    const wait = own.during(new Promise<void>((resolve) => (answer = resolve)));
    for (let turn = 0; turn < 10; turn++) await Promise.resolve().then(() => Promise.resolve());
    answer();
    await wait;
    return made.popErrorScope.mock.calls.length;
  };
  // At once, so that no wait is long.
  made.popErrorScope.mockImplementation(() => Promise.resolve(null));
  expect([await exhausted(), await exhausted()]).toEqual([8, 8]);
  for (let wait = 0; wait < 15; wait++) expect(await exhausted()).toBe(0);
  expect(await exhausted()).toBe(8);
});

test('beside what takes very long they are nothing, so that the next wait has them', async () => {
  const own = nudges('often');
  for (let wait = 0; wait < 4; wait++) {
    made.popErrorScope.mockClear();
    await own.during(after(40));
    expect(made.popErrorScope).toHaveBeenCalledTimes(8);
  }
});

test('waits at once share what is sent', async () => {
  const own = nudges('often');
  await Promise.all([own.during(after(LONG)), own.during(after(LONG))]);
  expect(made.popErrorScope).toHaveBeenCalledTimes(8);
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

test('short waits beside a long one send no more than it alone', async () => {
  const own = nudges('often');
  const long = own.during(after(LONG));
  for (let i = 0; i < 10; i++) await own.during(after(2));
  await long;
  expect(made.popErrorScope).toHaveBeenCalledTimes(8);
});

test('a device that throws at once breaks no wait, not the next one either', async () => {
  const own = nudges('often');
  made.popErrorScope.mockImplementation(() => {
    throw new Error('no scopes here');
  });
  expect(await own.during(after(5))).toBe('answer');
  expect(await own.during(after(5))).toBe('answer');
  expect(made.popErrorScope).toHaveBeenCalledTimes(2);
});

test('a failure is the answer, and a device that answers no scope any more is no other one', async () => {
  made.popErrorScope.mockRejectedValue(new Error('lost'));
  await expect(
    nudges('often').during(after(20).then(() => Promise.reject(new Error('lost, too')))),
  ).rejects.toThrow('lost, too');
});
