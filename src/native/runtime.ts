/**
 * Which JavaScript runtime this is, as a person would name it: `'node 20.20.2'`. The one place that looks;
 * what a runtime can do is tried where it is needed, not concluded from this.
 */
export function runtimeName(): string {
  const { bun, deno, node } = process.versions;
  if (bun) return `bun ${bun}`;
  return deno ? `deno ${deno}` : `node ${node}`;
}

/**
 * Is the event loop libuv's own? Deno's answers to the same calls, but what they call back does not go on before
 * something else happens; Bun's ends the process at the first of them.
 */
export function hasUvLoop(): boolean {
  return process.versions.deno === undefined && !isBun();
}

export function isBun(): boolean {
  return process.versions.bun !== undefined;
}

/** Are the descriptors of `node:fs` the system's? Deno's are numbers of its own, and another file may have the same. */
export function hasSystemDescriptors(): boolean {
  return process.versions.deno === undefined;
}

/**
 * Does a ring pay for files? Not in Bun, whose own calls are up to five times as fast: it does at once what it can, and
 * a completion of a ring has to wake its loop by a stream. Measured: docs/compatibility.md.
 */
export function ringPaysForFiles(): boolean {
  return !isBun();
}

/**
 * Does a ring pay for sockets? Not where a completion has to wake the loop by a stream: in Bun and in Deno the answer
 * to a message takes twice as long then, when the loop has slept before. Measured: docs/compatibility.md.
 */
export function ringPaysForSockets(): boolean {
  return hasUvLoop();
}

/**
 * Does `cp` of `node:fs/promises` copy a directory to a new name in one request to a thread? From 26.9 on it does, in
 * less time than a ring, and with half of the CPU. It also keeps names and targets that are not UTF-8, and the slash at
 * the end of a link's target, which the way before does not. There is no trying it without a copy.
 */
export function copiesTreesAtOnce(): boolean {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return hasUvLoop() && (major > 26 || (major === 26 && minor >= 9));
}

/** Does `node:net` look at `ipv6Only`? Deno's takes connections by IPv4 all the same. */
export function hasIpv6Only(): boolean {
  return process.versions.deno === undefined;
}

/**
 * Does libuv take what it reads when a connection is over in both directions (POLLHUP) for the last, and tell of the
 * end at once? Since 1.52 it reads on in the next turn. There is no trying it without a connection.
 */
export function endsAtHangUp(): boolean {
  const [major, minor] = (process.versions['uv'] ?? '').split('.').map(Number);
  return major === 1 && minor < 52;
}

/**
 * Does node:http's server ask for the handle of a socket once more, before it takes it over, than from version 22 on?
 * Nothing shows it without a server and a connection.
 */
export function asksOftenForHandle(): boolean {
  return Number.parseInt(process.versions.node, 10) < 22;
}
