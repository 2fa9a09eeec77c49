import { testOps } from '../conformance.ts';
import { otherOps } from './groups.ts';

testOps(otherOps);
