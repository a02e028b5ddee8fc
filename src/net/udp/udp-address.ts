import { isIPv4, isIPv6 } from 'node:net';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { rawAddress, type SocketAddress } from '../transport/socket-calls.ts';
import { ownOptions } from '../../reactor/own-options.ts';

/** Addresses that are remembered: then it begins anew. */
const ADDRESSES_MAX = 4096;

/** Who has sent a datagram, as `node:dgram` names him. */
export interface Sender {
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly port: number;
}

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

/** A sender's address in Node's words: of an address that is valid on one link only, with the name of the interface. */
export function senderOf(name: SocketAddress): Sender {
  if (name.family !== 'IPv4' && name.family !== 'IPv6') return { address: '', family: 'IPv4', port: 0 };
  const { address, family, port } = name;
  const isLinkLocal = name.family === 'IPv6' && name.scopeid !== 0 && /^fe[89ab]/.test(address);
  return { address: isLinkLocal ? `${address}%${interfaceName(name.scopeid)}` : address, family, port };
}

/** As if_indextoname(3). Of an interface that has an address of that kind, as one that receives from such has. */
function interfaceName(index: number): string {
  const isIt = (info: NetworkInterfaceInfo): boolean => info.family === 'IPv6' && info.scopeid === index;
  try {
    const found = Object.entries(networkInterfaces()).find(([, infos]) => infos?.some(isIt));
    return found?.[0] ?? String(index);
  } catch {
    // Forbidden. The index does as well.
    return String(index);
  }
}
