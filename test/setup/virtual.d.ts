declare module 'virtual:recurrent-cases' {
  /** One recurrent case: `name` is its file's path without the extension, `load` its bytes. */
  export const cases: { name: string; load(): Promise<Uint8Array> }[];
}
