// The smallest application that trains a net: its bytes are budgeted in test/budget.json.
import { createRuntime, LSTM } from '../../src/index.ts';
import { adam, mse, Trainer } from '../../src/train/index.ts';

const runtime = await createRuntime();
const net = await runtime.load(new LSTM({ inputSize: 4, hiddenSize: 4 }));
const trainer = new Trainer(net, { loss: mse, optimizer: adam() });
console.log(await trainer.step([[[1, 2, 3, 4]]], [[[1, 2, 3, 4]]]));
