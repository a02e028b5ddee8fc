// The same scenario over node:net and over iouring/net, on the ring, changing to and fro, and as a program has it: what
// each socket and each server tells, in its order, is the same. (What different ones tell at the same time comes in any
// order.)
import assert from 'node:assert/strict';
import { once, type EventEmitter } from 'node:events';
import * as node from 'node:net';
import { it } from 'node:test';
import { inspect } from 'node:util';
import { fromTheFirstByte, going, ways } from '../from-the-first-byte.ts';
import ours from '../../../src/net/index.ts';

fromTheFirstByte();

export type Net = typeof node;

const SOCKET_EVENTS = ['lookup', 'connect', 'ready', 'data', 'end', 'finish', 'timeout', 'drain', 'error', 'close'];
const SERVER_EVENTS = ['listening', 'connection', 'drop', 'error', 'close'];

/** Those that have told of their `'close'`. */
const over = new WeakSet<EventEmitter>();

/** What was told in the course of a scenario. */
export class Story {
  readonly #told = new Map<string, string[]>();
  /** Numbers that differ from run to run, and what they are called. */
  readonly #names = new Map<string, string>();

  tell(who: string, ...what: unknown[]): void {
    const all = this.#told.get(who);
    const text = what.map((one) => (typeof one === 'string' ? one : describeValue(one))).join(' ');
    if (all === undefined) this.#told.set(who, [text]);
    else all.push(text);
  }

  /** From now on `value` is called `name`. */
  call(value: unknown, name: string): void {
    this.#names.set(String(value), `<${name}>`);
  }

  /** Tell of the events of a socket. Data is told of when something else happens. */
  socket<T extends node.Socket>(who: string, socket: T, events: readonly string[] = SOCKET_EVENTS): T {
    let data: Buffer[] = [];
    socket.once('close', () => over.add(socket));
    const flush = (): void => {
      if (data.length > 0) this.tell(who, 'data', Buffer.concat(data).toString('latin1').slice(0, 200));
      data = [];
    };
    for (const event of events) {
      if (event === 'data') {
        socket.on(
          'data',
          (bytes: Buffer | string) => data.push(typeof bytes === 'string' ? Buffer.from(bytes) : bytes),
        );
      } else {
        // The two directions do not wait for each other.
        const about = event === 'finish' || event === 'drain' ? `${who}, writing` : who;
        socket.on(event, (...args: unknown[]) => {
          if (about === who) flush();
          this.tell(about, event, ...args);
        });
      }
    }
    return socket;
  }

  server<T extends EventEmitter>(who: string, server: T): T {
    for (const event of SERVER_EVENTS) {
      server.on(event, (...args: unknown[]) => this.tell(who, event, ...(event === 'connection' ? [] : args)));
    }
    return server;
  }

  get text(): Record<string, string[]> {
    const named = (line: string): string =>
      [...this.#names].reduce((text, [value, name]) => text.replaceAll(value, name), line);
    return Object.fromEntries(
      [...this.#told].sort(([a], [b]) => (a < b ? -1 : 1)).map(([who, lines]) => [who, lines.map(named)]),
    );
  }
}

function describeValue(value: unknown): string {
  if (!(value instanceof Error)) return inspect(value, { breakLength: Infinity, sorted: true });
  const { name, message, errors } = value as AggregateError;
  const fields = Object.fromEntries(Object.entries(value));
  return inspect({ name, message, ...fields, errors: errors?.map(describeValue) }, {
    breakLength: Infinity,
    sorted: true,
  });
}

/** A server that listens, on a port whose number is called `port`. */
export async function listen(
  story: Story,
  server: node.Server,
  options: node.ListenOptions = { host: '127.0.0.1', port: 0 },
): Promise<number> {
  server.listen(options);
  await once(server, 'listening');
  const { port } = server.address() as node.AddressInfo;
  story.call(port, 'port');
  return port;
}

/** All of them have been closed. */
export async function closed(...all: (node.Socket | node.Server)[]): Promise<void> {
  await Promise.all(
    all.map((one) => over.has(one) ? Promise.resolve() : new Promise((resolve) => one.once('close', resolve))),
  );
}

/** The next connection. */
export async function connection(server: node.Server): Promise<node.Socket> {
  return ((await once(server, 'connection')) as [node.Socket])[0];
}

export type Scenario = (net: Net, story: Story, name: string) => Promise<void>;

let runs = 0;

/** The story that a scenario tells. */
export async function told(net: Net, scenario: Scenario): Promise<Record<string, string[]>> {
  const story = new Story();
  const name = `iouring-test-${process.pid}-${runs++}`;
  story.call(name, 'name');
  await scenario(net, story, name);
  return story.text;
}

/** A test of it. `name` is for files and abstract sockets. @param skip as the option of a test */
export function sideBySide(title: string, scenario: Scenario, skip: string | false = false): void {
  it(title, { timeout: 20_000, skip }, async () => {
    const expected = await told(node, scenario);
    assert.notDeepEqual(expected, {});
    for (const way of ways) assert.deepEqual(await going(way, () => told(ours, scenario)), expected, way);
  });
}
