// The worker of worker.test.ts.
import { LSTM } from '../../src/index.ts';
import { mse, sgd } from '../../src/train/index.ts';
import { serve } from '../../src/worker/index.ts';

serve({
  runtime: { backend: 'webgpu' },
  models: { lstm: () => new LSTM({ inputSize: 2, hiddenSize: 3 }) },
  trainers: { sgd: { loss: mse, optimizer: sgd({ lr: 0.5 }) } },
});
