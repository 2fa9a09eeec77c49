// The smallest application that runs a net: its bytes are budgeted in test/budget.json.
import { createRuntime, LSTM } from '../../src/index.ts';

const runtime = await createRuntime();
const net = await runtime.load(new LSTM({ inputSize: 4, hiddenSize: 4 }));
console.log(await net.run([[[1, 2, 3, 4]]]).read());
