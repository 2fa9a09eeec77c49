// wgsl_reflect's ES module, under the types that the package has for its main file.
declare module 'wgsl_reflect/wgsl_reflect.module.js' {
  export * from 'wgsl_reflect';
}
