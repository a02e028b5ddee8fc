import { IORING_OP_SEND_ZC } from '../../abi/operations.ts';
import { AvailableReactor } from '../../reactor/available-reactor.ts';
import { ringPaysForSockets } from '../../native/runtime.ts';
import { reactorSoFar } from '../../reactor/default-reactor.ts';
import { partsOf, type Reactor } from '../../reactor/reactor.ts';
import { isEager } from '../../native/eager.ts';

/**
 * Where there is no reactor it says so once, whoever asks first. Sockets need one that receives many times. The kernel
 * does not tell of that: it came with another operation, of which it does.
 */
export const available = new AvailableReactor('iouring/net', [IORING_OP_SEND_ZC]);

/**
 * The reactor for sockets; undefined where there is no io_uring, or an older one, or where Node forbids this program
 * the network: Node has to do it, or to refuse it. And undefined where the runtime's own sockets are the faster ones,
 * unless they cannot do what is asked for, or the environment asks for the ring.
 */
export function ringForSockets(isBeyondRuntime = false): Reactor | undefined {
  const isForbidden = permission !== undefined && !permission.has('net');
  return isForbidden || !(ringPaysForSockets() || isEager || isBeyondRuntime) ? undefined : available.get();
}

interface Permission {
  has(scope: string): boolean;
}

/**
 * Asked by Node in its own native code before it listens or connects, by versions that have `--allow-net`; the ring
 * asks nobody.
 */
const permission = networkPermission();

function networkPermission(): Permission | undefined {
  const { permission: model } = process as { permission?: Permission };
  return model !== undefined && process.allowedNodeEnvironmentFlags.has('--allow-net') ? model : undefined;
}

/**
 * Have `call` made behind the events of this thread's reactor that came before it, if there are any. False: the caller
 * makes it.
 */
export function behindEvents(call: () => void): boolean {
  const reactor = reactorSoFar();
  return reactor !== undefined && partsOf(reactor).engine.behindEvents(call);
}

/** Say, once, that Node does it, and why. */
export function tellFallback(error: Error): void {
  available.tell(error);
}
