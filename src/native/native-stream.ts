import { Duplex, type DuplexOptions } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type * as tls from 'node:tls';
import { builtin } from './builtin.ts';

/** Node's class JSStream: a native stream whose work is done in JavaScript. */
export type NativeStreamClass = new () => object;

let found: NativeStreamClass | undefined;

/**
 * Node's class JSStream, which it does not export.
 *
 * Leans on: `process.binding`, which has it; where that warns (`--pending-deprecation`) or is refused (`--permission`),
 * that a TLSSocket over a stream that is no socket stands on one, which its handle has as `_parent`. Otherwise: it
 * throws.
 *
 * - watched by test/native/native-stream.test.ts: is found, with nothing loaded for it and nobody warned
 */
export function nativeStreamClass(): NativeStreamClass {
  return (found ??= ofBinding() ?? ofTls());
}

function ofBinding(): NativeStreamClass | undefined {
  const { binding } = process as unknown as { binding?: (name: string) => { JSStream?: NativeStreamClass } };
  // One that warns has another name.
  if (binding?.name !== 'binding') return undefined;
  try {
    return binding.call(process, 'js_stream').JSStream;
  } catch {
    return undefined;
  }
}

function ofTls(): NativeStreamClass {
  // A built-in module is the same from everywhere; a bundle may have no import.meta.url.
  const { TLSSocket, createSecureContext } = builtin('node:tls') as typeof tls;
  const none = new Duplex({ __proto__: null, read() {}, write() {} } as DuplexOptions);
  // With no certificates: Node's own list takes milliseconds to read.
  const secureContext = createSecureContext({ __proto__: null, ca: [] } as tls.SecureContextOptions);
  const probe = new TLSSocket(none, { __proto__: null, secureContext } as tls.TLSSocketOptions);
  const { _handle: wrap } = probe as unknown as TLSSocket & { _handle: { _parent: object } };
  const { constructor } = wrap._parent;
  probe.on('error', () => {});
  probe.destroy();
  none.destroy();
  return constructor as NativeStreamClass;
}
