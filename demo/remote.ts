// The two sides of a worker call each other's methods by messages: in order, with plain data, and without return values.

/** A worker, or from within it the global scope. */
interface Port {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}

type Method = (...args: unknown[]) => unknown;

/** The methods of `T` as they are seen from the other side. */
export type OneWay<T> = {
  [K in keyof T]: T[K] extends (...args: infer Args) => unknown ? (...args: Args) => void : never;
};

/** A proxy for the object that the other side serves. */
export function remote<T>(port: Port): OneWay<T> {
  const get =
    (_: object, method: string | symbol): Method =>
    (...args) =>
      port.postMessage([method, args]);
  return new Proxy({}, { get }) as OneWay<T>;
}

/** Runs the methods that the other side calls. */
export function serve<T extends OneWay<T>>(port: Port, target: T): void {
  port.addEventListener('message', ({ data }: MessageEvent<[keyof T, Parameters<Method>]>) => {
    const [method, args] = data;
    (target[method] as Method)(...args);
  });
}
