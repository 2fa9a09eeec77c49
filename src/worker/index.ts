// gatewise/worker: a runtime in a worker, and objects on the page that call it.
export {
  connect,
  transfer,
  type RemoteNet,
  type RemoteRunOptions,
  type RemoteRuntime,
  type RemoteStream,
  type RemoteTrainer,
} from './connect.ts';
export type { Endpoint, HostResult } from './protocol.ts';
export { serve, type Served } from './serve.ts';
