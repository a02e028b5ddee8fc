import { networkInterfaces } from 'node:os';

/**
 * An IPv6 address as Node gives it: one that is valid on one link only, with the name of the interface behind it, which
 * is looked up as if_indextoname(3) does. The number does as well, where the interface is not found.
 * @param scopeId the number of the interface; 0 if there is none
 */
export function withZone(address: string, scopeId: number): string {
  return scopeId > 0 && /^fe[89ab]/i.test(address) ? `${address}%${interfaceName(scopeId)}` : address;
}

function interfaceName(scopeId: number): string {
  try {
    // An interface that has such an address is known by it.
    const found = Object.entries(networkInterfaces()).find(([, all]) => all?.some((one) => one.scopeid === scopeId));
    return found?.[0] ?? String(scopeId);
  } catch {
    // It is forbidden to ask.
    return String(scopeId);
  }
}
