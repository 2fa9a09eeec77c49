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

/** All methods of `T` by name; only these can be called from the other side. */
export type MethodNames<T> = Readonly<Record<keyof T, true>>;

/** A proxy for the object that the other side serves. */
export function remote<T>(port: Port, names: MethodNames<T>): OneWay<T> {
  const post =
    (name: string): Method =>
    (...args) =>
      port.postMessage([name, args]);
  return Object.fromEntries(Object.keys(names).map((name) => [name, post(name)])) as OneWay<T>;
}

/** Runs the methods that the other side calls. A failure becomes an uncaught error on this side, which a worker's page hears of. */
export function serve<T extends OneWay<T>>(port: Port, target: T, names: MethodNames<T>): void {
  const call = async ([name, args]: [keyof T, unknown[]]): Promise<void> => {
    if (!Object.hasOwn(names, name)) throw new Error(`remote: no method is named ${String(name)}`);
    await (target[name] as Method)(...args);
  };
  port.addEventListener('message', ({ data }) => {
    call(data).catch((error: unknown) => reportError(error));
  });
}
