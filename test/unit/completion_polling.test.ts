// The commands that completion polling sends to a fake device during waits.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import {
  CompletionPolling,
  pollingModeFor,
  type PollingMode,
} from '../../src/backend/webgpu/completion_polling.ts';

/** A device that resolves an error scope after a turn of the event loop. */
function makeDevice() {
  const scopes: string[] = [];
  const submit = vi.fn<(commands: readonly unknown[]) => void>();
  const popErrorScope = vi.fn<() => Promise<null>>(async () => {
    scopes.push('pop');
    await new Promise((resolve) => setTimeout(resolve, 0));
    return null;
  });
  const pushErrorScope = (): void => void scopes.push('push');
  // Completion polling uses nothing else of a device.
  const device = { pushErrorScope, popErrorScope, queue: { submit } } as unknown as GPUDevice;
  return { device, scopes, submit, popErrorScope };
}

const after = (milliseconds: number): Promise<string> =>
  new Promise((resolve) => setTimeout(() => resolve('answer'), milliseconds));
const LONG = 200;

let made: ReturnType<typeof makeDevice>;
const polling = (mode: PollingMode): CompletionPolling => new CompletionPolling(made.device, mode);
beforeEach(() => {
  // Timers fire in order, each as soon as the microtasks before it are done: a busy machine changes no count.
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] }).setTimerTickMode('nextTimerAsync');
  made = makeDevice();
});
afterEach(() => {
  vi.useRealTimers();
});

test('the polling mode depends on the globals of the environment', () => {
  const firefox = { userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' };
  const chrome = {
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36',
  };
  expect(pollingModeFor({ navigator: chrome })).toBe('none');
  expect(pollingModeFor({ window: {}, navigator: chrome })).toBe('scopes');
  expect(pollingModeFor({ WorkerGlobalScope: {}, navigator: firefox })).toBe('submits');
  // Node with a fake window.
  expect(pollingModeFor({ window: {} })).toBe('none');
  expect(pollingModeFor({ window: {}, navigator: {} })).toBe('none');
});

test('in an environment that polls by itself nothing is sent', async () => {
  expect(await polling('none').during(after(20))).toBe('answer');
  expect(made.scopes).toEqual([]);
  expect(made.submit).not.toHaveBeenCalled();
});

test('in a browser a wait pushes and pops a few scopes, and none after the result', async () => {
  const own = polling('scopes');
  expect(await own.during(after(4))).toBe('answer');
  const sent = made.scopes.length;
  expect(sent).toBeGreaterThan(0);
  for (let i = 0; i < sent; i += 2) expect(made.scopes.slice(i, i + 2)).toEqual(['push', 'pop']);
  await after(20);
  expect(made.scopes.length).toBeLessThanOrEqual(sent + 2);
  expect(made.submit).not.toHaveBeenCalled();
});

test('after two useless waits, 15 waits send nothing, and the next polls again', async () => {
  const own = polling('scopes');
  // The wait ends after all scopes of a wait, so polling was useless.
  const exhausted = async (): Promise<number> => {
    made.popErrorScope.mockClear();
    let answer = (): void => undefined;
    const wait = own.during(new Promise<void>((resolve) => (answer = resolve)));
    for (let turn = 0; turn < 10; turn++) await Promise.resolve().then(() => Promise.resolve());
    answer();
    await wait;
    return made.popErrorScope.mock.calls.length;
  };
  // Scopes resolve at once, so that no wait takes long.
  made.popErrorScope.mockImplementation(() => Promise.resolve(null));
  expect([await exhausted(), await exhausted()]).toEqual([8, 8]);
  for (let wait = 0; wait < 15; wait++) expect(await exhausted()).toBe(0);
  expect(await exhausted()).toBe(8);
});

test('a very long wait does not count as useless: the next one polls too', async () => {
  const own = polling('scopes');
  for (let wait = 0; wait < 4; wait++) {
    made.popErrorScope.mockClear();
    await own.during(after(40));
    expect(made.popErrorScope).toHaveBeenCalledTimes(8);
  }
});

test('concurrent waits share their scopes', async () => {
  const own = polling('scopes');
  await Promise.all([own.during(after(LONG)), own.during(after(LONG))]);
  expect(made.popErrorScope).toHaveBeenCalledTimes(8);
});

test('a browser that polls rarely gets empty submits until the result', async () => {
  expect(await polling('submits').during(after(60))).toBe('answer');
  const sent = made.submit.mock.calls.length;
  expect(sent).toBeGreaterThan(2);
  expect(made.submit).toHaveBeenCalledWith([]);
  expect(made.scopes).toEqual([]);
  await after(40);
  expect(made.submit.mock.calls.length).toBeLessThanOrEqual(sent + 1);
});

test('short waits during a long one send no more scopes', async () => {
  const own = polling('scopes');
  const long = own.during(after(LONG));
  for (let i = 0; i < 10; i++) await own.during(after(2));
  await long;
  expect(made.popErrorScope).toHaveBeenCalledTimes(8);
});

test('a device that throws does not break this wait or the next', async () => {
  const own = polling('scopes');
  made.popErrorScope.mockImplementation(() => {
    throw new Error('no scopes here');
  });
  expect(await own.during(after(5))).toBe('answer');
  expect(await own.during(after(5))).toBe('answer');
  expect(made.popErrorScope).toHaveBeenCalledTimes(2);
});

test("a wait rejects with its own error, not with that of a lost device's scopes", async () => {
  made.popErrorScope.mockRejectedValue(new Error('lost'));
  await expect(
    polling('scopes').during(after(20).then(() => Promise.reject(new Error('lost, too')))),
  ).rejects.toThrow('lost, too');
});
