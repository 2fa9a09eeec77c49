// The order in which launches are recorded and the bind groups that they use, without a device.
import { describe, expect, test } from 'vitest';

import { BindGroups } from '../../src/backend/webgpu/bind_groups.ts';
import { WebGPUBuffer } from '../../src/backend/webgpu/buffers.ts';
import type { Pipeline } from '../../src/backend/webgpu/pipelines.ts';
import { Recording, type Launch } from '../../src/backend/webgpu/recording.ts';

/** A fake of an object that only a device can make. */
const fake = <T>(name: string): T => name as unknown as T;

const pipelines = new Map<string, Pipeline>();

/** The one compiled pipeline of a name. */
function pipelineOf(name: string): Pipeline {
  const known = pipelines.get(name) ?? ({ compiled: name, isCompiled: true } as unknown as Pipeline);
  pipelines.set(name, known);
  return known;
}

function launch(name: string, rows: number[], loop?: object): Launch {
  return {
    dispatch: {
      kernel: fake('kernel'),
      template: { splices: {}, counts: {} },
      constants: {},
      bindings: {},
      uniforms: [],
      workgroups: [rows.length, 2, 3],
      ...(loop === undefined ? {} : { loop }),
    },
    pipeline: pipelineOf(name),
    rows: Uint32Array.from(rows),
  };
}

/** Records, and returns a line for each dispatch. */
function recorded(recording: Recording, runs: (step: number) => boolean = () => true): string[] {
  const lines: string[] = [];
  let line: string[] = [];
  const pass = {
    setPipeline: (pipeline: unknown) => line.push(`pipeline ${String(pipeline)}`),
    setBindGroup: (_: number, group: unknown, offsets: Iterable<number>) =>
      line.push(`${String(group)} at ${[...offsets].join()}`),
    dispatchWorkgroups: (...workgroups: number[]) => {
      lines.push([...line, workgroups.join('×')].join(', '));
      line = [];
    },
  };
  const groups = recording.launches.map((_, i) => fake<GPUBindGroup>(`group ${i}`));
  recording.record(pass as unknown as GPUComputePassEncoder, groups, runs);
  return lines;
}

describe('a recording', () => {
  const loop = {};
  const steps = [
    [launch('a', [0])],
    [launch('b', [256, 512], loop), launch('c', [768, 1024, 1280], loop)],
    [launch('c', [1536])],
  ];

  test('interleaves launches of one loop row by row, and sets a pipeline when it changes', () => {
    const recording = new Recording(steps);
    expect(recording.dispatches).toEqual([1, 5, 1]);
    expect(recorded(recording)).toEqual([
      'pipeline a, group 0 at 0, 1×2×3',
      'pipeline b, group 1 at 256, 2×2×3',
      'pipeline c, group 2 at 768, 3×2×3',
      'pipeline b, group 1 at 512, 2×2×3',
      'pipeline c, group 2 at 1024, 3×2×3',
      'group 2 at 1280, 3×2×3',
      'group 3 at 1536, 1×2×3',
    ]);
  });

  test('skips steps', () => {
    const recording = new Recording(steps);
    expect(recorded(recording, (step) => step !== 1)).toEqual([
      'pipeline a, group 0 at 0, 1×2×3',
      'pipeline c, group 3 at 1536, 1×2×3',
    ]);
  });

  test('does not interleave launches of different loops', () => {
    const recording = new Recording([[launch('a', [0, 256], {}), launch('b', [512, 768], {})]]);
    expect(recorded(recording)).toEqual([
      'pipeline a, group 0 at 0, 2×2×3',
      'group 0 at 256, 2×2×3',
      'pipeline b, group 1 at 512, 2×2×3',
      'group 1 at 768, 2×2×3',
    ]);
  });
});

describe('bind groups', () => {
  /** Three launches: of temporaries alone, of buffer 5, of buffers 5 and 6. */
  function setUp(): { groups: BindGroups; made: string[] } {
    const made: string[] = [];
    const external = [[], [5], [5, 6], [5]];
    const groups = new BindGroups(external, (launched, bufferOf) => {
      const name = [launched, ...external[launched].map((index) => bufferOf(index).size)].join(' ');
      made.push(name);
      return fake(name);
    });
    return { groups, made };
  }
  /** Buffers that differ in size. */
  const buffers = Array.from(
    { length: 200 },
    (_, size) => new WebGPUBuffer(fake('buffer'), size, () => undefined),
  );
  const at =
    (five: number, six: number) =>
    (index: number): WebGPUBuffer =>
      buffers[index === 5 ? five : six];

  test('are created for new buffers of a launch, and reused for known ones', () => {
    const { groups, made } = setUp();
    const update = (five: number, six: number): { made: string[]; current: unknown[] } => {
      made.length = 0;
      groups.update(at(five, six), () => true);
      return { made: [...made], current: [...groups.current] };
    };
    const first = ['0', '1 1', '2 1 2', '3 1'];
    expect(update(1, 2)).toEqual({ made: ['0', '1 1', '3 1', '2 1 2'], current: first });
    expect(update(1, 2)).toEqual({ made: [], current: first });
    expect(update(1, 3)).toEqual({ made: ['2 1 3'], current: ['0', '1 1', '2 1 3', '3 1'] });
    expect(update(4, 2)).toEqual({ made: ['1 4', '3 4', '2 4 2'], current: ['0', '1 4', '2 4 2', '3 4'] });
    expect(update(1, 2)).toEqual({ made: [], current: first });
    groups.clear();
    expect(update(1, 2).made).toHaveLength(4);
  });

  test('of buffers that were not used for long are dropped', () => {
    const { groups, made } = setUp();
    for (let i = 0; i < 100; i++) groups.update(at(i, 0), () => true);
    made.length = 0;
    for (let i = 99; i >= 40; i--) groups.update(at(i, 0), () => true);
    expect(made).toEqual([]);
    groups.update(at(0, 0), () => true);
    expect(made).not.toEqual([]);
  });
});
