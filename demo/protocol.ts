// What the page and its worker may call of each other.
import type { MethodNames } from './remote.ts';
import type { Session, SessionView } from './session.ts';

export const SESSION: MethodNames<Session> = {
  open: true,
  begin: true,
  learn: true,
  load: true,
  start: true,
  pause: true,
  save: true,
  setTemperature: true,
  setLearningRate: true,
};

export const VIEW: MethodNames<SessionView> = {
  onReady: true,
  onState: true,
  onBegin: true,
  onStep: true,
  onSample: true,
  onCharacter: true,
  onSampleEnd: true,
  onReading: true,
  onCompile: true,
  onSaved: true,
  onError: true,
};
