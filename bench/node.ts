// `npm run bench:node`, and the script that `npm run bench:pack` packs: gatewise's workloads under Dawn, without a browser.
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import webgpuPackage from 'webgpu/package.json' with { type: 'json' };

import { nodeGPU } from '../src/node/index.ts';
import type { Builds } from './against.ts';
import { measurePass } from './benchmark.ts';
import { bench, main, type Session } from './command.ts';
import { gatewise, gatewiseBuild, gatewiseJob } from './contestants/gatewise.ts';
import { library } from './contestants/own_library.ts';
import { ApiCounter } from './counters.ts';
import { makeTask } from './data.ts';
import { describeMachine } from './machine.ts';
import type { Environment } from './measure.ts';
import { benchCommand, type Options } from './options.ts';
import { adapterOf } from './page/adapters.ts';
import { describeWorkload } from './workloads.ts';

type NodeOptions = Options & { readonly profile: boolean };

// Dawn rounds timestamps by default, so that pages cannot spy on each other; here are no pages.
const DAWN_FLAGS = ['disable-dawn-features=timestamp_quantization'];

/** Needs no `--expose-gc` on the command line. */
function heapOfNode(): Required<Environment>['heap'] {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return { collect, used: () => getHeapStatistics().used_heap_size };
}

async function openNode(options: NodeOptions, builds: Builds | undefined): Promise<Session> {
  const runtime = { gpu: await nodeGPU({ flags: DAWN_FLAGS }), powerPreference: 'high-performance' } as const;
  const found = await runtime.gpu.requestAdapter({ powerPreference: runtime.powerPreference });
  if (found === null) throw new Error('bench: the adapter that was there is gone');
  const adapter = adapterOf(found.info);
  const importLibrary = () => Promise.resolve(library);
  const all = [gatewise('webgpu', importLibrary, runtime), gatewise('cpu', importLibrary)];
  const asked: readonly string[] = options.peers.length === 0 ? ['gatewise'] : options.peers;
  const urlOf = (path: string): string => pathToFileURL(path).href;
  const sources =
    builds === undefined
      ? all.filter(({ key }) => asked.includes(key))
      : [
          gatewiseBuild({ url: urlOf(builds.after) }, runtime),
          gatewiseBuild({ url: urlOf(builds.before), commit: builds.commit }, runtime),
        ];
  const environment = {
    agent: `Node ${process.versions.node}, Dawn of webgpu ${webgpuPackage.version}`,
    platform: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
    ...describeMachine(),
  };
  return {
    adapter,
    pass: ({ workloads, settings, peers }, listener) => {
      // Dawn's classes are global since `nodeGPU`.
      const measuring = { counter: new ApiCounter(), heap: heapOfNode() };
      const named = peers.length === 0 ? {} : { peers };
      const about = { sources, workloads, settings, adapter, environment, measuring, runtime, ...named };
      return measurePass(about, listener);
    },
    finish: async ({ workloads, settings }) => {
      if (!options.profile) return;
      for (const { backend } of sources) {
        using profiled = await library.createRuntime({
          ...runtime,
          backend: backend === 'cpu' ? 'cpu' : 'webgpu',
        });
        for (const workload of workloads) {
          const job = await gatewiseJob(library, profiled, makeTask(workload, settings.seed));
          const about = `${workload.name} on ${backend}: ${describeWorkload(workload)}`;
          console.log(`\n${about}\n${library.printProfile(await job.profile())}`);
          job.dispose();
        }
      }
    },
  };
}

main(async () => {
  const description = 'Measures gatewise under Node, on the Vulkan, Metal or D3D12 adapter that Dawn finds.';
  const options = benchCommand('bench', description, ['gatewise', 'gatewise-cpu'])
    .option('--profile', "print each workload's steps too", false)
    .parse()
    .opts<NodeOptions>();
  await bench(options, (builds) => openNode(options, builds), '-node');
});
