// Every operation of io_uring_register(2) on the real kernel.
import assert from 'node:assert/strict';
import { REGISTRATIONS } from '../../src/abi/index.ts';
import { queryKernel } from '../../src/ring/query.ts';
import { it } from '../asking.ts';
import { recorder } from './operations/recorder.ts';
import './registrations/buffers.ts';
import './registrations/control.ts';
import './registrations/files.ts';
import './registrations/ring.ts';

/** Registrations that no machine without the hardware can run. They must have been tried. */
const HARDWARE = new Map([['IORING_REGISTER_ZCRX_IFQ', 'a network card that receives without copying']]);

it('every registration that this kernel has was run, and succeeded; every other one was tried', () => {
  const { registerOpcodes } = queryKernel();
  for (const { code, name } of REGISTRATIONS) {
    const { taken, succeeded } = recorder.registration(code);
    assert.ok(taken > 0, `${name} was never tried`);
    if (code < registerOpcodes && !HARDWARE.has(name)) assert.ok(succeeded, `${name} never succeeded`);
  }
});
