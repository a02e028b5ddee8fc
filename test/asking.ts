// Tests that ask for what they need of a kernel, and are skipped by its name where that is missing.
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { it as plain, type TestContext, type TestOptions } from 'node:test';
import { inspect } from 'node:util';
import { diagnose, IoUring } from '../src/index.ts';

type Body = (t: TestContext) => void | Promise<void>;

/** `'6.1'` as a number that can be compared. */
function version(linux: string): number {
  const [major, minor] = linux.split('.').map(Number);
  return 1000 * major + minor;
}

const own = version(release());

/** Why a test cannot be run here, as the option `skip` of a test wants it; false where it can. */
export function without(linux: string, what: string): string | false {
  return own < version(linux) && `needs Linux ${linux} (${what}), this is ${release()}`;
}

/** The option `skip` of a test that needs IPv6. */
export const withoutIPv6 = !existsSync('/proc/net/if_inet6') && 'needs IPv6';

/** Thrown by a test that lacks something other than a younger kernel: it is skipped, by this message. */
export class Missing extends Error {}

/** What an error says that the kernel is too old for; undefined if the error is of another kind, or the kernel is as young as that. */
export function neededBy(error: unknown): string | undefined {
  const [line, linux] = /^.*?(?:needs? |\()Linux (\d+\.\d+)/m.exec(inspect(error, { depth: 6 })) ?? [];
  const what = line?.replace(/[:,]? (?:needs?|\(Linux).*$/, '').replace(/^.*[:,] /, '').trim();
  return linux === undefined ? undefined : without(linux, what ?? '') || undefined;
}

/** What the test that runs has asked of a ring and the kernel does not have. */
let asked: string | undefined;

/** Have the methods that this kernel does not have tell when they are called. */
function watch(): void {
  const { methods } = diagnose();
  for (const { name, since, supported } of methods) {
    if (supported || name.includes('(')) continue;
    let owner = IoUring.prototype as object;
    while (!Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner) as object;
    const places = owner as Record<string, (...args: unknown[]) => unknown>;
    const method = places[name];
    places[name] = function watched(this: unknown, ...args) {
      asked ??= without(since, name) || undefined;
      return method.apply(this, args);
    };
  }
}

// When it is imported: some tests have the kernel look older afterwards.
watch();

/**
 * As `it` of node:test. A test that fails on a kernel that is too old for it is skipped: it has called a method of the ring that the kernel
 * does not have, or was refused by name. What needs something else of a kernel says so by {@link without}.
 */
export function it(name: string, ...rest: [Body] | [TestOptions, Body]): void {
  const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
  void plain(name, options, async (t) => {
    asked = undefined;
    try {
      await body(t);
    } catch (error) {
      const reason = error instanceof Missing ? error.message : (neededBy(error) ?? asked);
      if (reason === undefined) throw error;
      t.skip(reason);
    }
  });
}
