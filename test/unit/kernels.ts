/// <reference types="vite/client" />
// Every kernel that the build step has written.
import type { Kernel } from '../../src/core/kernel.ts';

const modules: Record<string, Record<string, Kernel>> = import.meta.glob('../../shaders/gen/*.ts', {
  eager: true,
});
export const kernels: readonly Kernel[] = Object.values(modules).flatMap((module) => Object.values(module));
