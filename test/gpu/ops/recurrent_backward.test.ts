import { testOps } from '../conformance.ts';
import { opsOf } from './groups.ts';

testOps(opsOf('recurrent_backward'));
