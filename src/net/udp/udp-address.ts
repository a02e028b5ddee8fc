import { isIPv4, isIPv6 } from 'node:net';
import type { SenderAddress } from './node-dgram.ts';
import { withZone } from '../transport/address-zone.ts';
import { rawAddress, type SocketAddress } from '../transport/socket-calls.ts';
import { ownOptions } from '../../ring/arguments/own-options.ts';

/** Addresses that are remembered: then it begins anew. */
const ADDRESSES_MAX = 4096;

/** Where to send to: what the ring is told with each datagram. */
export interface Destination {
  readonly to: Uint8Array;
}

/** The addresses that a socket sends to, as the kernel has them. Most are used again. */
export class Destinations {
  readonly #isIPv6: boolean;
  readonly #byAddress = new Map<string, Map<number, Destination>>();
  #count = 0;
  #lastAddress = '';
  #lastPort = -1;
  #last: Destination | undefined;

  constructor(isIPv6: boolean) {
    this.#isIPv6 = isIPv6;
  }

  /** Undefined unless it is an address of the socket's family, without a zone. */
  find(address: string, port: number): Destination | undefined {
    if (port === this.#lastPort && address === this.#lastAddress) return this.#last;
    const found = this.#byAddress.get(address)?.get(port) ?? this.#add(address, port);
    if (found === undefined) return undefined;
    this.#lastAddress = address;
    this.#lastPort = port;
    this.#last = found;
    return found;
  }

  #add(address: string, port: number): Destination | undefined {
    if (this.#isIPv6 ? !isIPv6(address) || address.includes('%') : !isIPv4(address)) return undefined;
    if (++this.#count > ADDRESSES_MAX) {
      this.#byAddress.clear();
      this.#count = 1;
    }
    const destination = { to: rawAddress(ownOptions({ address, port })) };
    const ports = this.#byAddress.get(address);
    if (ports === undefined) this.#byAddress.set(address, new Map([[port, destination]]));
    else ports.set(port, destination);
    return destination;
  }
}

/** A sender's address in Node's words. */
export function senderAddressOf(name: SocketAddress): SenderAddress {
  if (name.family !== 'IPv4' && name.family !== 'IPv6') return { address: '', family: 'IPv4', port: 0 };
  const { address, family, port } = name;
  return { address: name.family === 'IPv6' ? withZone(address, name.scopeid) : address, family, port };
}
