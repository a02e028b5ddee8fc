import { AvailableReactor } from '../reactor/available-reactor.ts';

/** The reactor of this thread for `iouring/net`; where there can be none that is said once, whoever asks first. */
export const available = new AvailableReactor('iouring/net');
