/**
 * What is done with UDP sockets, of node:dgram and of ours: each scenario tells what it saw, in words in which ports
 * have names.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { BindOptions, RemoteInfo, Socket, SocketOptions, SocketType } from 'node:dgram';
import { once } from 'node:events';

type Create = (options: SocketType | SocketOptions, callback?: (message: Buffer, sender: RemoteInfo) => void) => Socket;

/** Sockets that are bound to the port of another on purpose. */
const REUSING = new Set(['again', 'b', 'c']);

/** What was seen. */
export class Record {
  readonly lines: string[] = [];
  /** Two sockets, of the two families, got the same port by chance: they cannot be told apart. */
  isAmbiguous = false;
  readonly #names = new Map<number, string>();
  /** With how many messages came, and how many were waited for. */
  readonly #sockets = new Map<Socket, { came: number; awaited: number }>();
  readonly create: Create;

  constructor(create: Create) {
    this.create = create;
  }

  note(...what: unknown[]): void {
    const text = what.map((one) => (typeof one === 'string' ? one : this.#text(one))).join(' ');
    this.lines.push(text.replaceAll(/\b\d{4,5}\b/g, (digits) => this.#names.get(Number(digits)) ?? digits));
  }

  #text(what: unknown): string {
    if (!(what instanceof Error)) return JSON.stringify(what) ?? 'undefined';
    return `${what.name}: ${what.message} ${JSON.stringify(Object.entries(what))}`;
  }

  /** Which port it has. */
  learn(name: string, socket: Socket): void {
    const { port } = socket.address();
    const before = this.#names.get(port);
    this.isAmbiguous ||= before !== undefined && before !== `port-of-${name}` && !REUSING.has(name);
    this.#names.set(port, `port-of-${name}`);
  }

  /** What a call throws, or returns. */
  call(what: string, call: () => unknown): void {
    try {
      const result = call();
      this.note(what, typeof result === 'object' && result !== null ? 'an object' : result);
    } catch (error) {
      this.note(what, error);
    }
  }

  /** A socket whose events are noted by `name`. */
  socket(name: string, options: SocketType | SocketOptions = 'udp4'): Socket {
    const socket = this.create(options);
    const count = { came: 0, awaited: 0 };
    this.#sockets.set(socket, count);
    socket.on('message', (data, sender) => {
      count.came++;
      this.note(name, 'message', data.toString('latin1').slice(0, 40), sender);
    });
    socket.on('listening', () => {
      this.learn(name, socket);
      this.note(name, 'listening', socket.address());
    });
    for (const event of ['connect', 'close']) socket.on(event, () => this.note(name, event));
    socket.on('error', (error) => this.note(name, 'error', error));
    return socket;
  }

  async bound(name: string, options: SocketType | SocketOptions = 'udp4', bind: BindOptions = {}): Promise<Socket> {
    const socket = this.socket(name, options);
    const isIPv6 = (typeof options === 'string' ? options : options.type) === 'udp6';
    socket.bind({ port: 0, address: isIPv6 ? '::1' : '127.0.0.1', ...bind });
    await once(socket, 'listening');
    return socket;
  }

  /** So many messages more than were waited for before. */
  async messages(socket: Socket, count: number): Promise<void> {
    const counted = this.#sockets.get(socket)!;
    counted.awaited += count;
    const { awaited } = counted;
    while (counted.came < awaited) await once(socket, 'message');
  }

  /** What was seen by each, in order: what one sees is not in step with what the others do. */
  get seen(): { [name: string]: string[] } {
    const seen: { [name: string]: string[] } = {};
    for (const line of this.lines) (seen[line.split(' ')[0]] ??= []).push(line);
    return seen;
  }

  /** Those that are open yet. */
  async closeAll(): Promise<void> {
    for (const socket of this.#sockets.keys()) await new Promise<void>((done) => this.#close(socket, done));
  }

  #close(socket: Socket, done: () => void): void {
    try {
      socket.close(done);
    } catch {
      done();
    }
  }
}

/** What a send answered, in the order in which they are asked for. */
function sent(
  record: Record,
  send: (callback: (error: Error | null, bytes: number) => void) => void,
  what: string,
): Promise<void> {
  return new Promise((resolve) =>
    send((error, bytes) => {
      record.note(what, error, bytes);
      resolve();
    })
  );
}

/** Nothing is asked of the network: it is too long to be one. */
const NO_NAME = `${'x'.repeat(64)}.invalid`;

const untyped = (socket: Socket): { [method: string]: (...args: unknown[]) => unknown } => socket as never;

export const SCENARIOS: { [name: string]: (record: Record) => Promise<void> } = {
  'what is wrong with arguments': async (r) => {
    const create = r.create as (...args: unknown[]) => Socket;
    for (
      const type of [undefined, 'udp', null, {}, { type: 'tcp' }, { type: 'udp4', signal: 1 }, {
        type: 'udp4',
        lookup: 1,
      }]
    ) {
      r.call(`createSocket(${JSON.stringify(type)})`, () => create(type));
    }
    r.call('recvBufferSize', () => create({ type: 'udp4', recvBufferSize: -1 }));
    const socket = r.socket('a');
    const a = untyped(socket);
    const data = Buffer.from('data');
    const calls: [string, ...unknown[]][] = [
      ['send', 1, 1],
      ['send', data],
      ['send', data, 0],
      ['send', data, 70000],
      ['send', data, '1x'],
      ['send', [1], 1],
      ['send', data, 1, 9, 1, 'x'],
      ['send', data, 9, 1, 1, 'x'],
      ['send', data, 1, 1],
      ['send', data, 1, 1, -1, '::'],
      ['send', data, 1, {}],
      ['send'],
      ['connect'],
      ['connect', 0],
      ['connect', 1, 2],
      ['disconnect'],
      ['remoteAddress'],
      ['address'],
      ['setTTL', 'x'],
      ['setTTL', 1],
      ['setMulticastTTL'],
      ['setMulticastInterface'],
      ['setMulticastLoopback', 1],
      ['setBroadcast', true],
      ['addMembership'],
      ['addMembership', 'x'],
      ['dropMembership'],
      ['addSourceSpecificMembership', 1],
      ['addSourceSpecificMembership', '1.1.1.1', 1],
      ['dropSourceSpecificMembership', '1.1.1.1'],
      ['setRecvBufferSize', -1],
      ['setRecvBufferSize', 1000],
      ['getRecvBufferSize'],
      ['setSendBufferSize', 'x'],
      ['getSendBufferSize'],
      ['getSendQueueSize'],
      ['getSendQueueCount'],
      ['bind', 0, '127.0.0.1'],
      ['bind', 0],
    ];
    for (const [method, ...args] of calls) r.call(`${method} ${JSON.stringify(args)}`, () => a[method](...args));
    await once(socket, 'listening');
    for (const [method, ...args] of calls) r.call(`bound: ${method} ${JSON.stringify(args)}`, () => a[method](...args));
    for (const ttl of [0, 1, 64, 255, 256]) r.call(`setTTL ${ttl}`, () => a['setTTL'](ttl));
    socket.close();
    for (const [method, ...args] of calls.filter(([name]) => !/^(set|get)/.test(name))) {
      r.call(`closed: ${method} ${JSON.stringify(args)}`, () => a[method](...args));
    }
    r.call('closed twice', () => socket.close());
    r.call('ref', () => socket.ref() === socket && socket.unref() === socket);
    await once(socket, 'close');
  },

  'all forms of send': async (r) => {
    const a = await r.bound('a');
    const b = await r.bound('b');
    const { port } = b.address();
    const bytes = Buffer.from('0123456789');
    const forms: [string, unknown[]][] = [
      ['address', [bytes, port, '127.0.0.1']],
      ['no address', [bytes, port]],
      ['a name', [bytes, port, 'localhost']],
      ['text', ['tëxt', port, '127.0.0.1']],
      ['offset', [bytes, 2, 3, port, '127.0.0.1']],
      ['offset, no address', [bytes, 2, 3, port]],
      ['offset of text', ['text of more', 1, 3, port, '127.0.0.1']],
      ['nothing of it', [bytes, 3, 0, port, '127.0.0.1']],
      ['list', [[bytes, 'and', new Uint8Array([65, 66])], port, '127.0.0.1']],
      ['empty list', [[], port, '127.0.0.1']],
      ['empty', [Buffer.alloc(0), port, '127.0.0.1']],
      ['view', [new DataView(Uint8Array.from(bytes).buffer, 2, 5), port, '127.0.0.1']],
      ['words', [new Uint16Array([0x4241, 0x4443]), port, '127.0.0.1']],
      ['port as text', [bytes, String(port), '127.0.0.1']],
      ['one byte', [Buffer.from('x'), port, '127.0.0.1']],
      ['of the pool', [bytes.subarray(4), port, '127.0.0.1']],
      ['the longest', [Buffer.alloc(65507, 'L'), port, '127.0.0.1']],
    ];
    for (const [what, args] of forms) {
      const arrived = r.messages(b, 1);
      await sent(r, (callback) => untyped(a)['send'](...args, callback), what);
      await arrived;
      const again = r.messages(b, 1);
      r.call(`${what}, no callback`, () => untyped(a)['send'](...args));
      await again;
    }
    r.note(a.getSendQueueSize(), a.getSendQueueCount());
  },

  'forms of send in one tick': async (r) => {
    const a = await r.bound('a');
    const b = await r.bound('b');
    const { port } = b.address();
    for (const round of [1, 2, 3]) {
      const forms: unknown[][] = [['plain'], [['li', 'st']], ['plain after a list'], [Buffer.from('slice'), 1, 3], [
        new DataView(new ArrayBuffer(round)),
      ], ['plain after a view']];
      const arrived = r.messages(b, forms.length);
      for (const form of forms) {
        untyped(a)['send'](...form, port, '127.0.0.1', (error: Error | null) => r.note('sent', String(form), error));
      }
      await arrived;
    }
    a.connect(port, '127.0.0.1');
    await once(a, 'connect');
    const arrived = r.messages(b, 3);
    for (const form of [['li', 'st'], 'plain', new DataView(new ArrayBuffer(1))]) untyped(a)['send'](form);
    await arrived;
  },

  'connected': async (r) => {
    const a = await r.bound('a');
    const b = await r.bound('b');
    a.connect(b.address().port, '127.0.0.1');
    await once(a, 'connect');
    r.note(a.remoteAddress());
    const bytes = Buffer.from('0123456789');
    const forms: unknown[][] = [[bytes], ['text'], [bytes, 2, 3], [[bytes, 'x']], [
      new DataView(Uint8Array.from(bytes).buffer),
    ]];
    for (const form of forms) {
      const arrived = r.messages(b, 1);
      await sent(r, (callback) => untyped(a)['send'](...form, callback), JSON.stringify(form));
      await arrived;
      const again = r.messages(b, 1);
      untyped(a)['send'](...form);
      await again;
    }
    for (const form of [[bytes, 1], [bytes, 0, 1, 1], [bytes, 0, 1, 1, 'x'], [bytes, 1, 'x'], [bytes, 0, 99]]) {
      r.call(JSON.stringify(form), () => untyped(a)['send'](...form));
    }
    await r.messages(b, 2);
    r.call('again', () => a.connect(1));
    b.send('answer', a.address().port, '127.0.0.1');
    await r.messages(a, 1);
    // Of others it hears nothing.
    const c = await r.bound('c');
    await sent(r, (callback) => c.send('foreign', a.address().port, '127.0.0.1', callback), 'foreign');
    b.send('own', a.address().port, '127.0.0.1');
    await r.messages(a, 1);
    await sent(r, (callback) => a.send(Buffer.alloc(65508), callback), 'too long');
    a.disconnect();
    r.call('disconnected: remoteAddress', () => a.remoteAddress());
    r.call('disconnect', () => a.disconnect());
    await sent(r, (callback) => a.send('to b', b.address().port, '127.0.0.1', callback), 'disconnected');
    // The kernel has chosen another port.
    r.learn('a', a);
    await r.messages(b, 1);
    const d = r.socket('d');
    d.connect(b.address().port, (error?: Error) => r.note('called', error));
    r.call('twice', () => d.connect(1));
    await once(d, 'connect');
    d.send('from d');
    await r.messages(b, 1);
  },

  'errors': async (r) => {
    const a = await r.bound('a');
    const { port } = a.address();
    await sent(r, (callback) => a.send(Buffer.alloc(65508), port, '127.0.0.1', callback), 'too long');
    await sent(r, (callback) => a.send(Buffer.alloc(70000), port, '127.0.0.1', callback), 'longer than any');
    a.send(Buffer.alloc(70000), port, '127.0.0.1');
    await sent(r, (callback) => a.send('x', port, '::1', callback), 'other family');
    await sent(r, (callback) => a.send('x', port, '255.255.255.255', callback), 'broadcast');
    await sent(r, (callback) => a.send('x', port, NO_NAME, callback), 'no such host');
    a.send('x', port, NO_NAME);
    await once(a, 'error');
    const taken = r.socket('taken');
    taken.bind(port, '127.0.0.1');
    await once(taken, 'error');
    taken.bind(0, '127.0.0.1', () => r.note('bound at last'));
    await once(taken, 'listening');
    const foreign = r.socket('foreign');
    foreign.bind(0, '203.0.113.1');
    await once(foreign, 'error');
    const lookup = (
      name: string,
      family: unknown,
      callback: (error: Error | null, ip: string, family: number) => void,
    ): void => {
      r.note('lookup', name, family);
      const error = name === 'wrong' ? Object.assign(new Error('no'), { code: 'ENO' }) : null;
      setImmediate(callback, error, '127.0.0.1', 4);
    };
    const named = r.socket('named', { type: 'udp4', lookup });
    named.bind(0, 'right');
    await once(named, 'listening');
    await sent(r, (callback) => named.send('x', port, 'other', callback), 'looked up');
    await sent(r, (callback) => named.send('x', port, '127.0.0.1', callback), 'looked up too');
    await sent(r, (callback) => named.send('x', port, 'wrong', callback), 'not found');
  },

  'nobody listens': async (r) => {
    const b = await r.bound('b');
    const { port } = b.address();
    const a = await r.bound('a');
    a.connect(port, '127.0.0.1');
    await once(a, 'connect');
    b.close();
    await once(b, 'close');
    const refused = once(a, 'error');
    await sent(r, (callback) => a.send('x', callback), 'first');
    await refused;
    // It goes on.
    const again = await r.bound('again', 'udp4', { port });
    a.send('y');
    await r.messages(again, 1);
    again.send('z', a.address().port, '127.0.0.1');
    await r.messages(a, 1);
  },

  'IPv6': async (r) => {
    const a = await r.bound('a', 'udp6');
    const both = await r.bound('both', 'udp6', { address: '::' });
    const v4 = await r.bound('v4');
    const only = await r.bound('only', { type: 'udp6', ipv6Only: true }, { address: '::' });
    await sent(r, (callback) => a.send('x', both.address().port, '::1', callback), 'to ::1');
    await r.messages(both, 1);
    both.send('default', a.address().port);
    await r.messages(a, 1);
    v4.send('mapped', both.address().port, '127.0.0.1');
    await r.messages(both, 1);
    both.send('back', v4.address().port, '::ffff:127.0.0.1');
    await r.messages(v4, 1);
    await sent(r, (callback) => a.send('x', both.address().port, '127.0.0.1', callback), 'IPv4 text');
    await sent(r, (callback) => a.send('x', both.address().port, '0:0:0::1', callback), 'spelled otherwise');
    await r.messages(both, 1);
    a.connect(only.address().port, '::1');
    await once(a, 'connect');
    a.send('x');
    await r.messages(only, 1);
    r.note(a.remoteAddress());
  },

  'options of the socket': async (r) => {
    const a = await r.bound('a', { type: 'udp4', recvBufferSize: 30_000, sendBufferSize: 20_000, reuseAddr: true }, {
      address: '0.0.0.0',
    });
    r.note(a.getRecvBufferSize(), a.getSendBufferSize());
    a.setRecvBufferSize(40_000);
    a.setSendBufferSize(50_000);
    r.note(a.getRecvBufferSize(), a.getSendBufferSize());
    const group = '239.11.12.13';
    for (
      const [method, ...args] of [
        ['setBroadcast', true],
        ['setTTL', 3],
        ['setMulticastTTL', 1],
        ['setMulticastTTL', 300],
        ['setMulticastLoopback', true],
        ['setMulticastInterface', '127.0.0.1'],
        ['setMulticastInterface', 'x'],
        ['addMembership', group, '127.0.0.1'],
        ['addMembership', group, '127.0.0.1'],
        ['addMembership', '1.2.3.4', '127.0.0.1'],
        ['addSourceSpecificMembership', '127.0.0.1', '232.1.1.1', '127.0.0.1'],
        ['dropSourceSpecificMembership', '127.0.0.1', '232.1.1.1', '127.0.0.1'],
      ] as [string, ...unknown[]][]
    ) {
      r.call(`${method} ${JSON.stringify(args)}`, () => untyped(a)[method](...args));
    }
    const arrived = r.messages(a, 1);
    await sent(r, (callback) => a.send('to the group', a.address().port, group, callback), 'group');
    await arrived;
    a.dropMembership(group, '127.0.0.1');
    r.call('drop twice', () => a.dropMembership(group, '127.0.0.1'));
    const b = r.socket('b', { type: 'udp4', reuseAddr: true });
    b.bind(a.address().port);
    await once(b, 'listening');
  },

  'beginning and end': async (r) => {
    const b = await r.bound('b');
    const { port } = b.address();
    const a = r.socket('a');
    a.send('before it is bound', port, '127.0.0.1', (error, bytes) => r.note('sent', error, bytes));
    a.send('and another', port, '127.0.0.1');
    await r.messages(b, 2);
    a.close(() => r.note('closed'));
    r.note('not yet');
    await once(a, 'close');
    // The port is free when close() returns.
    const c = r.socket('c');
    b.close();
    c.bind(port, '127.0.0.1');
    await once(c, 'listening');
    const controller = new AbortController();
    const d = await r.bound('d', { type: 'udp4', signal: controller.signal });
    controller.abort();
    await once(d, 'close');
    const aborted = r.socket('aborted', { type: 'udp4', signal: AbortSignal.abort() });
    await once(aborted, 'close');
    r.call('bind', () => aborted.bind());
    const e = await r.bound('e');
    await (e as unknown as AsyncDisposable)[Symbol.asyncDispose]();
    await (e as unknown as AsyncDisposable)[Symbol.asyncDispose]();
    const f = r.socket('f');
    f.bind(0);
    f.close();
    await once(f, 'close');
    const g = await r.bound('g');
    g.on('message', () => g.close());
    c.send('1', g.address().port, '127.0.0.1');
    c.send('2', g.address().port, '127.0.0.1');
    await once(g, 'close');
  },

  'closed soon after a send': async (r) => {
    const b = await r.bound('b');
    const { port } = b.address();
    for (const isConnected of [false, true]) {
      const to = isConnected ? [] : [port, '127.0.0.1'];
      for (let ticks = 0; ticks < 4; ticks++) {
        const name = `a-${ticks}${isConnected ? ', connected' : ''}`;
        const a = await r.bound(name);
        if (isConnected) {
          a.connect(port, '127.0.0.1');
          await once(a, 'connect');
        }
        // Not in the tick of an event.
        await new Promise(setImmediate);
        const send = (what: string, data: unknown): unknown =>
          untyped(a)['send'](data, ...to, (error: Error | null) => r.note(name, what, error));
        send('first', `${name}: first`);
        r.note(name, a.getSendQueueSize(), a.getSendQueueCount());
        send('list', [`${name}: `, 'list']);
        let left = ticks;
        const close = (): void => void (left-- === 0 ? a.close() : process.nextTick(close));
        if (ticks === 0) send('last', `${name}: last`);
        close();
        if (ticks > 0) send('last', `${name}: last`);
        await once(a, 'close');
      }
    }
    // By a listener, after sends of others, and before another one is closed.
    for (let ticks = 0; ticks < 3; ticks++) {
      const [a, other, third] = await Promise.all(['e', 'f', 'g'].map((name) => r.bound(`${name}-${ticks}`)));
      const arrived = once(a, 'message');
      a.on('message', () => {
        a.send(`${ticks}: first`, port, '127.0.0.1', (error) => r.note('first', error));
        other.send(`${ticks}: of another`, port, '127.0.0.1', (error) => r.note('of another', error));
        third.close();
        let left = ticks;
        const close = (): void => void (left-- === 0 ? a.close() : process.nextTick(close));
        close();
      });
      other.send('go', a.address().port, '127.0.0.1');
      await arrived;
      await new Promise(setImmediate);
    }
    const c = await r.bound('c');
    c.send('all', port, '127.0.0.1');
    // Whatever came before it.
    for (let data = ''; data !== 'all';) data = String((await once(b, 'message'))[0]);
  },

  'somebody else’s methods in place of the handle’s': async (r) => {
    const b = await r.bound('b');
    const { port } = b.address();
    for (const name of ['send', 'lookup', 'recvStop']) {
      const a = await r.bound(name);
      const symbol = Object.getOwnPropertySymbols(a).find(({ description }) => description === 'state symbol')!;
      const { handle } = (a as unknown as { [state: symbol]: { handle: ReturnType<typeof untyped> } })[symbol];
      const method = handle[name];
      const replace = (): void => {
        handle[name] = (...args) => {
          r.note(name, 'called');
          return Reflect.apply(method, handle, args);
        };
      };
      const exchange = async (what: string): Promise<void> => {
        await sent(r, (callback) => a.send(what, port, '127.0.0.1', callback), name);
        await r.messages(b, 1);
        b.send(what, a.address().port, '127.0.0.1');
        await r.messages(a, 1);
      };
      for (let i = 0; i < 5; i++) await exchange('before');
      replace();
      for (let i = 0; i < 5; i++) await exchange('after');
      const stub = r.socket('stub');
      await new Promise<void>((resolve) => stub.bind(0, '127.0.0.1', resolve));
      a.close();
      await once(a, 'close');
    }
  },

  'contexts, and one message after the other': async (r) => {
    const storage = new AsyncLocalStorage<string>();
    const a = await r.bound('a');
    const b = await storage.run('of the socket', () => r.bound('b'));
    b.on('message', () => r.note('context', storage.getStore()));
    storage.run(
      'of the send',
      () => a.send('1', b.address().port, '127.0.0.1', () => r.note('context', storage.getStore())),
    );
    a.send('2', b.address().port, '127.0.0.1');
    a.send('3', b.address().port, '127.0.0.1');
    // Each is asked for when the one before is there.
    for (let i = 0; i < 3; i++) {
      const [data] = (await once(b, 'message')) as [Buffer];
      r.note('once', String(data));
    }
  },
};
