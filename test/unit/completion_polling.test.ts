// The commands that completion polling sends to a fake device during a wait.
import { beforeEach, expect, test, vi } from 'vitest';

import {
  CompletionPolling,
  pollingModeFor,
  type PollingMode,
} from '../../src/backend/webgpu/completion_polling.ts';

/** A device that answers an error scope after a turn of the event loop. */
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
const polling = (mode: PollingMode): CompletionPolling => new CompletionPolling(made.device, mode);
beforeEach(() => {
  made = makeDevice();
});

test('the mode follows from the globals of the environment', () => {
  const firefox = { userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' };
  const chrome = {
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36',
  };
  expect(pollingModeFor({ navigator: chrome })).toBe('none');
  expect(pollingModeFor({ window: {}, navigator: chrome })).toBe('scopes');
  expect(pollingModeFor({ WorkerGlobalScope: {}, navigator: firefox })).toBe('submits');
  // Node, with a stand-in for a window.
  expect(pollingModeFor({ window: {} })).toBe('none');
  expect(pollingModeFor({ window: {}, navigator: {} })).toBe('none');
});

test('where the device is asked by itself nothing is sent', async () => {
  expect(await polling('none').during(after(20))).toBe('answer');
  expect(made.scopes).toEqual([]);
  expect(made.submit).not.toHaveBeenCalled();
});

test('in a browser a few scopes are pushed and popped at once, and no more when the answer is there', async () => {
  const own = polling('scopes');
  expect(await own.during(after(4))).toBe('answer');
  const sent = made.scopes.length;
  expect(sent).toBeGreaterThan(0);
  for (let i = 0; i < sent; i += 2) expect(made.scopes.slice(i, i + 2)).toEqual(['push', 'pop']);
  await after(20);
  expect(made.scopes.length).toBeLessThanOrEqual(sent + 2);
  expect(made.submit).not.toHaveBeenCalled();
});

test('what takes somewhat longer twice in turn is left alone, and tried again some time later', async () => {
  const own = polling('scopes');
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
  const own = polling('scopes');
  for (let wait = 0; wait < 4; wait++) {
    made.popErrorScope.mockClear();
    await own.during(after(40));
    expect(made.popErrorScope).toHaveBeenCalledTimes(8);
  }
});

test('waits at once share what is sent', async () => {
  const own = polling('scopes');
  await Promise.all([own.during(after(LONG)), own.during(after(LONG))]);
  expect(made.popErrorScope).toHaveBeenCalledTimes(8);
});

test('where a browser looks rarely it is sent empty work until the answer is there', async () => {
  expect(await polling('submits').during(after(60))).toBe('answer');
  const sent = made.submit.mock.calls.length;
  expect(sent).toBeGreaterThan(2);
  expect(made.submit).toHaveBeenCalledWith([]);
  expect(made.scopes).toEqual([]);
  await after(40);
  expect(made.submit.mock.calls.length).toBeLessThanOrEqual(sent + 1);
});

test('short waits beside a long one send no more than it alone', async () => {
  const own = polling('scopes');
  const long = own.during(after(LONG));
  for (let i = 0; i < 10; i++) await own.during(after(2));
  await long;
  expect(made.popErrorScope).toHaveBeenCalledTimes(8);
});

test('a device that throws at once breaks no wait, not the next one either', async () => {
  const own = polling('scopes');
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
    polling('scopes').during(after(20).then(() => Promise.reject(new Error('lost, too')))),
  ).rejects.toThrow('lost, too');
});
