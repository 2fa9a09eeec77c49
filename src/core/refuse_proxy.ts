// Objects with private fields do not work behind a Proxy, as frameworks put around reactive state: an error that says so.
import { GatewiseError } from './errors.ts';

type Method = (...args: readonly unknown[]) => unknown;

/**
 * Makes the public methods and accessors of a class refuse another `this` than one of its objects.
 * @param isOwn Whether a private field is there, which is not so for a Proxy. @param what The object, for the error.
 */
export function refuseProxy(
  { prototype }: { readonly prototype: object },
  what: string,
  isOwn: (object: object) => boolean,
): void {
  const checked = (key: string, method: Method): Method =>
    function (this: object, ...args) {
      if (!isOwn(this))
        throw new GatewiseError(
          'argument',
          `${what}: ${key} was used on a Proxy of it, or on another object. Keep it out of reactive state (in Vue by markRaw or shallowRef), or use the object itself`,
        );
      return Reflect.apply(method, this, args);
    };
  for (const key of Reflect.ownKeys(prototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, key);
    if (key === 'constructor' || descriptor === undefined) continue;
    for (const part of ['value', 'get', 'set'] as const) {
      const method = descriptor[part] as Method | undefined;
      if (typeof method === 'function') descriptor[part] = checked(String(key), method);
    }
    Object.defineProperty(prototype, key, descriptor);
  }
}
