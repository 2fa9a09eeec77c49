// gatewise/train: training. Gradients, losses, optimizers and the trainer.
export { grad, valueAndGrad, valueAndGradWithCapture, type CapturedGradients } from './grad.ts';
export { bceWithLogits, crossEntropy, crossEntropyWith, mse, type Loss } from './loss.ts';
export {
  adam,
  adamw,
  rmsprop,
  sgd,
  type AdamOptions,
  type AdamWOptions,
  type LearningRate,
  type Optimizer,
  type RMSpropOptions,
  type SGDOptions,
} from './optimizer.ts';
export { Trainer, type CapturedStep, type StepOptions, type TrainerOptions } from './trainer.ts';
export { softmaxCrossEntropy, type CrossEntropyOptions } from '../ops/softmax_cross_entropy.ts';
