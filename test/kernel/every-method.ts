// Every public method of IoUring with valid arguments, and what each argument is. What must hold for all of them is
// tried with all of them: see bad-input, memory-safety, and test/ring.
import {
  AT_FDCWD,
  CLOCK_BOOTTIME,
  EPOLL_CTL_ADD,
  IORING_OP_NOP,
  SOCKET_URING_OP_GETSOCKOPT,
  WEXITED,
  WNOHANG,
} from '../../src/abi/index.ts';
import {
  allocateAligned,
  EpollEvents,
  IoUring,
  Msghdr,
  Siginfo,
  SocketAddressBuffer,
  Statx,
} from '../../src/index.ts';
import { neededBy } from '../asking.ts';

/** What an argument is, and with that what else may not stand in its place. */
export type Kind =
  | 'address'
  | 'addressBuffer'
  | 'boolean'
  | 'buffer'
  | 'buffers'
  | 'cancelTarget'
  | 'choice'
  | 'descriptorArray'
  | 'duration'
  | 'epollEvents'
  | 'fd'
  | 'field'
  | 'fileOffset'
  | 'function'
  | 'futex'
  | 'group'
  | 'integer'
  | 'list'
  | 'milliseconds'
  | 'msghdr'
  | 'msghdrInit'
  | 'name'
  | 'object'
  | 'path'
  | 'position'
  | 'ring'
  | 'siginfo'
  | 'slotOrAlloc'
  | 'statx'
  | 'tags'
  | 'userData';

/** An argument, or a property of one. */
export interface Argument {
  readonly kind: Kind;
  /** How an error calls it. */
  readonly name: string;
  readonly value: unknown;
  /** It may be left out. */
  readonly optional?: boolean;
  /** null may stand for it. */
  readonly nullable?: boolean;
  /** Of an integer. */
  readonly min?: number;
  readonly max?: number;
  /** Of a length: of how many bytes. */
  readonly of?: number;
  /** Of an object: its properties. They are all there, but an optional one may be missing. */
  readonly fields?: Readonly<Record<string, Argument>>;
  /** Of a list: what stands in it. */
  readonly elements?: readonly Argument[];
}

/** One method. */
export interface Method {
  readonly name: string;
  /** Does it queue an entry, and return whether there was room? */
  readonly prepares: boolean;
  /** Valid arguments; made anew each time, so that nobody else holds what is lent. */
  readonly arguments: () => Argument[];
  /** Other valid arguments, for other forms of its operation. */
  readonly others: readonly (() => unknown[])[];
}

/** TypeScript keeps these from callers; at run time they are there. */
const PROTECTED = new Set([
  'addressBuffer',
  'alignBig',
  'array',
  'bufferGroup',
  'chainsTaken',
  'checkOpen',
  'endChain',
  'findKey',
  'findKeys',
  'grown',
  'iovecs',
  'isRefused',
  'isRefusedBig',
  'lease',
  'placeAddress',
  'placePath',
  'queue',
  'register',
  'registerResource',
  'registeredWait',
  'registeredWaits',
  'scratch',
  'socketAddress',
  'tags',
  'timespec',
  'updateResource',
  'userDataForKernel',
]);

/** Methods that a closed ring has as well as an open one. */
const HARMLESS = new Set(['close', 'toJSON']);

/** The public methods that there are, by reflection. */
export function publicMethods(): string[] {
  const found = new Set<string>();
  let type: object = IoUring.prototype;
  for (; type !== Object.prototype; type = Object.getPrototypeOf(type) as object) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
      if (typeof value === 'function' && name !== 'constructor') found.add(name);
    }
  }
  return [...found].filter((name) => !PROTECTED.has(name) && !HARMLESS.has(name)).sort();
}

/** Stands for the ring itself among the arguments. */
const THIS = Symbol('this ring');

/** A group of provided buffers that there must be: see {@link openForAll}. */
export const GROUP = 1;
/** A group for prepProvideBuffers. */
export const CLASSIC_GROUP = 2;

/** A descriptor that is not open. */
const CLOSED = 1_000_000;

/** What no file system has. */
const NOWHERE = '/nonexistent/iouring';

type Options = Partial<Omit<Argument, 'kind' | 'name'>>;

const a = (kind: Kind, name: string, value: unknown, options: Options = {}): Argument => ({
  kind,
  name,
  value,
  ...options,
});
const OPTIONAL = { optional: true } as const;

const fd = (name = 'fd'): Argument => a('fd', name, CLOSED);
const userData = (name = 'userData', value: number | bigint = 7): Argument => a('userData', name, value);
const integer = (name: string, value: number, max: number, min = 0): Argument =>
  a('integer', name, value, { min, max });
const u32 = (name: string, value = 0): Argument => integer(name, value, 2 ** 32 - 1);
const i31 = (name: string, value = 0): Argument => integer(name, value, 2 ** 31 - 1);
const u16 = (name: string, value = 0): Argument => integer(name, value, 0xffff);
const bool = (name: string): Argument => a('boolean', name, true, OPTIONAL);
const optional = (argument: Argument): Argument => ({ ...argument, optional: true });
const buffer = (name = 'buf', bytes = 8): Argument => a('buffer', name, new Uint8Array(bytes));
const len = (name = 'len', of = 8): Argument => a('integer', name, of, { min: 0, max: of, of });
const path = (name = 'path', value: unknown = NOWHERE): Argument => a('path', name, value);
const fileOffset = (): Argument => a('fileOffset', 'offset', 0, { optional: true, nullable: true });
const position = (name: string, value: number | bigint = 0): Argument => a('position', name, value);
const address = (name = 'address'): Argument =>
  a('address', name, { address: '127.0.0.1', port: 9 }, {
    fields: {
      address: a('name', `${name}.address`, '127.0.0.1'),
      port: u16(`${name}.port`, 9),
    },
  });

/** An object with properties that may all be missing. */
function options(fields: Record<string, Argument>, name = 'options'): Argument {
  const all = Object.entries(fields).map(([key, field]) => [key, optional(field)] as const);
  return optional(object(name, Object.fromEntries(all)));
}

function object(name: string, fields: Record<string, Argument>): Argument {
  const value = Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, field.value]));
  return a('object', name, value, { fields });
}

function list(name: string, ...elements: Argument[]): Argument {
  return a('list', name, elements.map(({ value }) => value), { elements });
}

const buffers = (name = 'buffers'): Argument => ({
  ...list(name, buffer(`${name}[0]`), buffer(`${name}[1]`, 16)),
  kind: 'buffers',
});

/** Buffers to be registered: a place may be left empty. */
function bufferTable(): Argument {
  const table = buffers();
  return { ...table, elements: table.elements!.map((element) => ({ ...element, nullable: true })) };
}

const timer = {
  absolute: bool('options.absolute'),
  clock: a('choice', 'options.clock', 'boottime'),
};
const transfer = (): Record<string, Argument> => ({
  rwFlags: u32('options.rwFlags'),
  fixed: u16('options.fixed', 3),
});
const command = (): Record<string, Argument> => ({
  addr: a('field', 'options.addr', new Uint8Array(8)),
  len: u32('options.len', 8),
  addr3: a('field', 'options.addr3', new Uint8Array(8)),
  fixed: u16('options.fixed', 3),
});
const pi = (): unknown => ({ buffer: new Uint8Array(64), flags: 1, appTag: 2, seed: 3 });

/** A piece of memory that begins at a page. */
const pages = (): Uint8Array => allocateAligned(65536, 65536);

const message = (): Msghdr =>
  new Msghdr({ iov: [new Uint8Array(8), new Uint8Array(16)], name: { address: '127.0.0.1', port: 9 }, control: 64 });
const room = (): Msghdr => new Msghdr({ iov: [new Uint8Array(8)], name: 16, control: 64 });

/** A method that queues an operation. */
function prepares(name: string, args: () => Argument[], ...others: (() => unknown[])[]): Method {
  return { name, prepares: true, arguments: args, others };
}

function does(name: string, ...args: Argument[]): Method {
  return { name, prepares: false, arguments: () => args, others: [] };
}

/** All of them. */
export const METHODS: readonly Method[] = [
  // ---------------------------------------------------------------- the ring itself
  prepares(
    'prepNop',
    () => [
      userData(),
      options({
        result: integer('options.result', 5, 2 ** 31 - 1, -(2 ** 31)),
        fd: a('fd', 'options.fd', 0),
        fixedFile: a('boolean', 'options.fixedFile', false),
        fixedBuffer: u16('options.fixedBuffer', 3),
        taskWork: bool('options.taskWork'),
      }),
    ],
    () => [7],
  ),
  prepares('prepNop128', () => [userData()]),
  prepares('prepTimeout', () => [
    a('duration', 'timeoutMs', 1),
    userData(),
    options({ ...timer, count: u32('options.count', 1), etimeSuccess: bool('options.etimeSuccess') }),
  ]),
  prepares('prepTimeoutRemove', () => [userData('target', 8), userData()]),
  prepares('prepTimeoutUpdate', () => [
    userData('target', 8),
    a('duration', 'timeoutMs', 1n),
    userData(),
    options({ ...timer, link: bool('options.link') }),
  ]),
  prepares('prepLinkTimeout', () => [
    a('duration', 'timeoutMs', 1.5),
    userData(),
    options({ ...timer, etimeSuccess: bool('options.etimeSuccess') }),
  ]),
  prepares('prepPollAdd', () => [
    fd(),
    u32('mask', 1),
    userData(),
    options({ multishot: bool('options.multishot'), level: bool('options.level') }),
  ]),
  prepares('prepPollRemove', () => [userData('target', 8), userData()]),
  prepares('prepPollUpdate', () => [
    userData('target', 8),
    userData(),
    object('change', {
      events: optional(u32('change.events', 1)),
      newUserData: optional(userData('change.newUserData', 9)),
      multishot: bool('change.multishot'),
      level: bool('change.level'),
    }),
  ]),
  prepares(
    'prepCancel',
    () => [
      {
        ...object('target', {
          userData: optional(userData('target', 8)),
          fd: optional(fd('target.fd')),
          fixed: bool('target.fixed'),
          opcode: optional(integer('target.opcode', 22, 0xff)),
        }),
        kind: 'cancelTarget',
      },
      userData(),
      options({ all: bool('options.all') }),
    ],
    () => [8, 7],
    () => [2n ** 63n, 7, { all: true }],
    () => [{ any: true }, 7],
  ),
  prepares('prepCancelFd', () => [
    fd(),
    userData(),
    options({ all: bool('options.all'), fixed: bool('options.fixed') }),
  ]),
  prepares('prepMsgRing', () => [
    fd('ringFd'),
    integer('res', 5, 2 ** 32 - 1, -(2 ** 31)),
    userData('data', 8),
    userData(),
    options({ cqeFlags: u32('options.cqeFlags', 4), skipCqe: bool('options.skipCqe') }),
  ]),
  prepares('prepMsgRingFd', () => [
    fd('ringFd'),
    u32('sourceSlot', 3),
    a('slotOrAlloc', 'targetSlot', 4),
    userData('data', 8),
    userData(),
    options({ skipCqe: bool('options.skipCqe') }),
  ]),
  prepares(
    'prepFilesUpdate',
    () => [a('descriptorArray', 'fds', new Int32Array(2).fill(-1)), a('slotOrAlloc', 'offset', 3), userData()],
    () => [new Int32Array(2).fill(-1), 'alloc', 7],
  ),
  prepares('prepFixedFdInstall', () => [
    i31('slot', 3),
    userData(),
    options({ noCloexec: bool('options.noCloexec') }),
  ]),
  prepares('prepProvideBuffers', () => [
    buffer('buf', 64),
    integer('bufSize', 16, 2 ** 31 - 1, 1),
    integer('nr', 4, 65536, 1),
    u16('bgid', CLASSIC_GROUP),
    u16('bid', 5),
    userData(),
  ]),
  prepares('prepRemoveBuffers', () => [integer('nr', 4, 65536, 1), u16('bgid', CLASSIC_GROUP), userData()]),

  // ---------------------------------------------------------------- waiting for others
  prepares(
    'prepEpollCtl',
    () => [
      fd('epfd'),
      u32('op', EPOLL_CTL_ADD),
      fd(),
      object('event', { events: optional(u32('event.events', 1)), data: optional(userData('event.data', 8)) }),
      userData(),
    ],
    () => [0, 2, 0, null, 7],
  ),
  prepares('prepEpollWait', () => [fd('epfd'), a('epollEvents', 'events', new EpollEvents(4)), userData()]),
  prepares('prepFutexWait', () => [
    a('futex', 'futex', new Int32Array(1)),
    integer('value', 1, 2 ** 32 - 1, -(2 ** 31)),
    userData(),
    options({ mask: u32('options.mask', 1), flags: u32('options.flags', 2) }),
  ]),
  prepares('prepFutexWake', () => [
    a('futex', 'futex', new Uint32Array(1)),
    i31('nr', 1),
    userData(),
    options({ mask: u32('options.mask', 1), flags: u32('options.flags', 2) }),
  ]),
  prepares('prepFutexWaitv', () => [
    list('waiters', futexWaiter(0), futexWaiter(1)),
    userData(),
  ]),
  prepares(
    'prepWaitid',
    () => [
      u32('idtype', 1),
      i31('id', 2 ** 30),
      u32('options', WEXITED | WNOHANG),
      a('siginfo', 'info', new Siginfo(), { nullable: true }),
      userData(),
    ],
    () => [1, 2 ** 30, WEXITED, null, 7],
  ),

  // ---------------------------------------------------------------- commands
  prepares(
    'prepUringCmd',
    () => [fd(), u32('cmdOp', 1), userData(), options(command())],
    () => [
      CLOSED,
      1,
      7,
      { addr: 5n, addr3: 6, cmd: new Uint8Array(16), pointers: new Map([[8, new Uint8Array(8)]]) },
    ],
    () => [CLOSED, 1, 7, { multishot: GROUP, addr: new Uint8Array(8) }],
    () => [CLOSED, 1, 7],
  ),
  prepares(
    'prepUringCmd128',
    () => [fd(), u32('cmdOp', 1), userData(), options(command())],
    () => [CLOSED, 1, 7, { cmd: new Uint8Array(80).fill(0xff) }],
  ),
  prepares(
    'prepCmdSock',
    () => [
      u32('cmdOp', SOCKET_URING_OP_GETSOCKOPT),
      fd(),
      u32('level', 1),
      u32('optname', 3),
      { ...buffer('optval'), nullable: true },
      userData(),
    ],
    () => [0, CLOSED, 0, 0, null, 7],
  ),
  prepares('prepCmdGetsockname', () => [
    fd(),
    a('addressBuffer', 'address', new SocketAddressBuffer()),
    userData(),
    options({ peer: bool('options.peer') }),
  ]),
  prepares('prepCmdDiscard', () => [
    fd(),
    integer('offset', 2 ** 40, Number.MAX_SAFE_INTEGER),
    integer('nbytes', 2 ** 40 + 5, Number.MAX_SAFE_INTEGER),
    userData(),
  ]),
  prepares('prepCmdZoneResetAll', () => [fd(), userData()]),
  prepares(
    'prepSqe',
    () => [
      object('sqe', {
        opcode: integer('sqe.opcode', IORING_OP_NOP, 0xff),
        flags: optional(integer('sqe.flags', 0, 0xff)),
        ioprio: optional(u16('sqe.ioprio', 0)),
        fd: optional(fd('sqe.fd')),
        off: optional(a('field', 'sqe.off', new Uint8Array(8))),
        addr: optional(a('field', 'sqe.addr', new Uint8Array(8))),
        len: optional(u32('sqe.len')),
        opFlags: optional(u32('sqe.opFlags')),
        bufIndex: optional(u16('sqe.bufIndex')),
        personality: optional(u16('sqe.personality')),
        fileIndex: optional(integer('sqe.fileIndex', 5, 2 ** 32 - 1, -1)),
        addr3: optional(a('field', 'sqe.addr3', new Uint8Array(8))),
        pad2: optional(a('field', 'sqe.pad2', 5n)),
      }),
      userData(),
      options({ lend: buffers('options.lend') }),
    ],
    () => [{ opcode: IORING_OP_NOP }, 7],
  ),

  // ---------------------------------------------------------------- modifiers
  does('sqeSetFlags', integer('flags', 0, 0xff)),
  does('sqeSetBufGroup', a('group', 'bgid', GROUP)),
  does('sqeSetPersonality', u16('id')),
  does('sqeSetIoprio', u16('ioprio')),

  // ---------------------------------------------------------------- files
  ...['prepRead', 'prepWrite'].map((name) =>
    prepares(
      name,
      () => [fd(), { ...buffer(), nullable: true }, len(), userData(), fileOffset(), options(transfer())],
      () => [CLOSED, new Uint8Array(8), 8, 7],
      () => [CLOSED, null, 8, 7],
      () => [CLOSED, new Uint8Array(8), 8, 7, -1n, { pi: pi() }],
      () => [CLOSED, new Uint8Array(8), 8, 7, 2n ** 40n, { fixed: 3, pi: pi() }],
    )
  ),
  ...['prepReadv', 'prepWritev'].map((name) =>
    prepares(
      name,
      () => [fd(), buffers(), userData(), fileOffset(), options(transfer())],
      () => [CLOSED, [new Uint8Array(8), new DataView(new ArrayBuffer(16), 8)], 7, null, { pi: pi() }],
      () => [CLOSED, [], 7],
    )
  ),
  prepares('prepReadMultishot', () => [
    fd(),
    a('group', 'bgid', GROUP),
    userData(),
    options({ len: u32('options.len', 8), offset: fileOffset() }),
  ]),
  prepares('prepFsync', () => [
    fd(),
    userData(),
    options({
      datasync: bool('options.datasync'),
      offset: position('options.offset', 2 ** 40),
      length: u32('options.length', 8),
    }),
  ]),
  prepares('prepSyncFileRange', () => [fd(), position('offset'), u32('length', 8), u32('flags', 2), userData()]),
  prepares('prepFallocate', () => [fd(), u32('mode'), position('offset'), position('length', 2 ** 40), userData()]),
  prepares('prepFtruncate', () => [fd(), position('length', 2 ** 40), userData()]),
  prepares('prepFadvise', () => [
    fd(),
    position('offset', 2n ** 40n),
    position('length'),
    u32('advice', 1),
    userData(),
  ]),
  prepares('prepMadvise', () => [
    a('buffer', 'buf', pages()),
    len('len', 65536),
    integer('advice', 0, 2 ** 32 - 1),
    userData(),
  ]),
  prepares('prepSplice', () => [
    fd('fdIn'),
    fileOffset(),
    fd('fdOut'),
    fileOffset(),
    u32('nbytes', 8),
    userData(),
    options({ flags: u32('options.flags', 1), fixedIn: bool('options.fixedIn') }),
  ]),
  prepares('prepTee', () => [
    fd('fdIn'),
    fd('fdOut'),
    u32('nbytes', 8),
    userData(),
    options({ flags: u32('options.flags', 1), fixedIn: bool('options.fixedIn') }),
  ]),
  prepares('prepClose', () => [fd(), userData()]),
  prepares('prepCloseDirect', () => [u32('slot', 3), userData()]),
  prepares(
    'prepPipe',
    () => [
      a('descriptorArray', 'fds', new Int32Array(2), { of: 2 }),
      userData(),
      options({ flags: u32('options.flags', 2048), direct: a('slotOrAlloc', 'options.direct', 3) }),
    ],
    () => [new Int32Array(2), 7],
    () => [new Int32Array(4).subarray(1), 7, { direct: 'alloc' }],
  ),

  // ---------------------------------------------------------------- paths
  prepares(
    'prepOpenat',
    () => [
      fd('dirfd'),
      path(),
      u32('flags'),
      userData(),
      options({
        mode: integer('options.mode', 0o600, 0o177777),
        direct: a('slotOrAlloc', 'options.direct', 3),
      }),
    ],
    () => [AT_FDCWD, Buffer.from(NOWHERE), 0, 7],
    () => [AT_FDCWD, new URL(`file://${NOWHERE}`), 0, 7, { direct: 'alloc' }],
  ),
  prepares('prepOpen', () => [
    path(),
    u32('flags'),
    userData(),
    options({ mode: integer('options.mode', 0o600, 0o177777), direct: a('slotOrAlloc', 'options.direct', 3) }),
  ]),
  prepares('prepOpenat2', () => [
    fd('dirfd'),
    path(),
    object('how', {
      flags: optional(integer('how.flags', 0, Number.MAX_SAFE_INTEGER)),
      mode: optional(integer('how.mode', 0, 0o177777)),
      resolve: optional(integer('how.resolve', 0, Number.MAX_SAFE_INTEGER)),
    }),
    userData(),
    options({ direct: a('slotOrAlloc', 'options.direct', 3) }),
  ]),
  prepares('prepStatx', () => [
    fd('dirfd'),
    path(),
    u32('flags'),
    u32('mask', 0x7ff),
    a('statx', 'statx', new Statx()),
    userData(),
  ]),
  prepares('prepRenameat', () => [
    fd('olddirfd'),
    path('oldpath'),
    fd('newdirfd'),
    path('newpath', `${NOWHERE}/new`),
    userData(),
    options({ flags: u32('options.flags', 1) }),
  ]),
  prepares('prepRename', () => [path('oldpath'), path('newpath', `${NOWHERE}/new`), userData()]),
  prepares('prepUnlinkat', () => [fd('dirfd'), path(), u32('flags'), userData()]),
  prepares('prepUnlink', () => [path(), userData()]),
  prepares('prepMkdirat', () => [fd('dirfd'), path(), integer('mode', 0o700, 0o177777), userData()]),
  prepares('prepMkdir', () => [path(), integer('mode', 0o700, 0o177777), userData()]),
  prepares('prepSymlinkat', () => [path('target'), fd('newdirfd'), path('linkpath', `${NOWHERE}/new`), userData()]),
  prepares('prepSymlink', () => [path('target'), path('linkpath', `${NOWHERE}/new`), userData()]),
  prepares('prepLinkat', () => [
    fd('olddirfd'),
    path('oldpath'),
    fd('newdirfd'),
    path('newpath', `${NOWHERE}/new`),
    u32('flags'),
    userData(),
  ]),
  prepares('prepLink', () => [path('oldpath'), path('newpath', `${NOWHERE}/new`), userData()]),
  prepares('prepGetxattr', () => [path(), a('name', 'name', 'user.iouring'), buffer('value'), userData()]),
  prepares('prepSetxattr', () => [
    path(),
    a('name', 'name', 'user.iouring'),
    buffer('value'),
    userData(),
    options({ flags: u32('options.flags', 1) }),
  ]),
  prepares('prepFgetxattr', () => [fd(), a('name', 'name', 'user.iouring'), buffer('value'), userData()]),
  prepares('prepFsetxattr', () => [
    fd(),
    a('name', 'name', 'user.iouring'),
    buffer('value'),
    userData(),
    options({ flags: u32('options.flags', 1) }),
  ]),

  // ---------------------------------------------------------------- sockets
  prepares(
    'prepSocket',
    () => [
      i31('domain', 2),
      u32('type', 1),
      i31('protocol'),
      userData(),
      options({ direct: a('slotOrAlloc', 'options.direct', 3) }),
    ],
    () => [2, 1, 0, 7],
  ),
  ...['prepBind', 'prepConnect'].map((name) => prepares(name, () => [fd(), address(), userData()])),
  prepares('prepListen', () => [fd(), i31('backlog', 5), userData()]),
  prepares(
    'prepAccept',
    () => [
      fd('listenFd'),
      userData(),
      options({
        flags: u32('options.flags', 2048),
        direct: a('slotOrAlloc', 'options.direct', 3),
        address: a('addressBuffer', 'address', new SocketAddressBuffer()),
        dontwait: bool('options.dontwait'),
        pollFirst: bool('options.pollFirst'),
      }),
    ],
    () => [CLOSED, 7],
    () => [CLOSED, 7, { address: new SocketAddressBuffer() }],
  ),
  prepares(
    'prepAcceptMultishot',
    () => [
      fd('listenFd'),
      userData(),
      options({
        flags: u32('options.flags', 2048),
        direct: a('slotOrAlloc', 'options.direct', 'alloc'),
        dontwait: bool('options.dontwait'),
        pollFirst: bool('options.pollFirst'),
      }),
    ],
    () => [CLOSED, 7],
  ),
  prepares('prepShutdown', () => [fd(), u32('how', 2), userData()]),
  prepares(
    'prepRecv',
    () => [
      fd(),
      { ...buffer(), nullable: true },
      len(),
      userData(),
      optional(u32('flags', 64)),
      options({ pollFirst: bool('options.pollFirst'), bundle: bool('options.bundle') }),
    ],
    () => [CLOSED, null, 8, 7],
  ),
  prepares('prepRecvMultishot', () => [
    fd(),
    a('group', 'bgid', GROUP),
    userData(),
    options({
      flags: u32('options.flags', 64),
      bundle: bool('options.bundle'),
      len: u32('options.len', 8),
      limit: u32('options.limit', 16),
      pollFirst: bool('options.pollFirst'),
    }),
  ]),
  prepares(
    'prepSend',
    () => [
      fd(),
      { ...buffer(), nullable: true },
      len(),
      userData(),
      optional(u32('flags', 64)),
      options({ to: address(), pollFirst: bool('options.pollFirst') }),
    ],
    () => [CLOSED, new Uint8Array(8), 8, 7],
    () => [CLOSED, null, 8, 7],
  ),
  prepares('prepSendto', () => [
    fd(),
    { ...buffer(), nullable: true },
    len(),
    address(),
    userData(),
    optional(u32('flags', 64)),
  ]),
  prepares('prepSendBundle', () => [
    fd(),
    a('group', 'bgid', GROUP),
    userData(),
    options({
      flags: u32('options.flags', 64),
      len: u32('options.len', 8),
      pollFirst: bool('options.pollFirst'),
    }),
  ]),
  prepares(
    'prepSendv',
    () => [
      fd(),
      buffers(),
      userData(),
      optional(u32('flags', 64)),
      options({
        to: address('options.to'),
        fixed: u16('options.fixed', 3),
        zeroCopy: bool('options.zeroCopy'),
        reportUsage: bool('options.reportUsage'),
        pollFirst: bool('options.pollFirst'),
      }),
    ],
    () => [CLOSED, [new Uint8Array(8), new ArrayBuffer(16)], 7],
  ),
  prepares(
    'prepSendZc',
    () => [
      fd(),
      buffer(),
      len(),
      userData(),
      optional(u32('flags', 64)),
      options({
        to: address(),
        fixed: u16('options.fixed', 3),
        reportUsage: bool('options.reportUsage'),
        pollFirst: bool('options.pollFirst'),
      }),
    ],
    () => [CLOSED, new Uint8Array(8), 8, 7],
  ),
  prepares(
    'prepSendmsg',
    () => [
      fd(),
      a('msghdrInit', 'msg', message()),
      userData(),
      optional(u32('flags', 64)),
      options({ pollFirst: bool('options.pollFirst') }),
    ],
    () => [CLOSED, { iov: [new Uint8Array(8)], name: { path: '\0x' } }, 7],
  ),
  prepares('prepSendmsgZc', () => [
    fd(),
    a('msghdrInit', 'msg', message()),
    userData(),
    optional(u32('flags', 64)),
    options({ fixed: u16('options.fixed', 3), reportUsage: bool('options.reportUsage') }),
  ]),
  prepares('prepRecvmsg', () => [
    fd(),
    a('msghdr', 'msg', room()),
    userData(),
    optional(u32('flags', 64)),
    options({ pollFirst: bool('options.pollFirst') }),
  ]),
  prepares('prepRecvmsgMultishot', () => [
    fd(),
    a('group', 'bgid', GROUP),
    a('msghdr', 'msg', new Msghdr({ name: 16, control: 64 })),
    userData(),
    optional(u32('flags', 64)),
  ]),
  prepares('prepRecvZc', () => [fd(), u32('zcrxId', 3), userData(), options({ len: u32('options.len', 8) })]),

  // ---------------------------------------------------------------- submitting, waiting, reaping
  does('submit'),
  does(
    'submitAndWait',
    u32('waitNr'),
    options({
      timeoutMs: a('milliseconds', 'options.timeoutMs', 1),
      minWaitMs: a('milliseconds', 'options.minWaitMs', 1),
      noIowait: bool('options.noIowait'),
    }),
  ),
  does('submitAndWaitReg', u32('waitNr'), u32('index')),
  does('forEachCompletion', a('function', 'callback', () => {})),
  does('peek'),
  does('completions'),
  does('copyCompletions', optional(integer('max', 5, 2 ** 30 - 1, 1))),

  // ---------------------------------------------------------------- registrations
  does('registerBuffers', bufferTable(), options({ tags: tags(2) })),
  does('registerBuffersSparse', integer('count', 4, 16384, 1)),
  does('registerBuffersUpdate', integer('offset', 0, 16383), bufferTable(), options({ tags: tags(2) })),
  does('unregisterBuffers'),
  does(
    'cloneBuffers',
    a('ring', 'source', THIS),
    options({
      srcOffset: integer('options.srcOffset', 0, 16384),
      dstOffset: integer('options.dstOffset', 0, 16384),
      count: integer('options.count', 0, 16384),
      replace: bool('options.replace'),
    }),
  ),
  does(
    'registerFiles',
    list('fds', integer('fds[0]', 0, 2 ** 31 - 1, -1), integer('fds[1]', -1, 2 ** 31 - 1, -1)),
    options({ tags: tags(2) }),
  ),
  does('registerFilesSparse', integer('count', 4, 2 ** 20, 1)),
  does(
    'registerFilesUpdate',
    integer('offset', 0, 2 ** 20 - 1),
    list('fds', integer('fds[0]', 0, 2 ** 31 - 1, -2), integer('fds[1]', -2, 2 ** 31 - 1, -2)),
    options({ tags: tags(2) }),
  ),
  does('unregisterFiles'),
  does('registerFileAllocRange', u32('offset'), u32('length', 4)),
  does('registerEventfd', fd()),
  does('registerEventfdAsync', fd()),
  does('unregisterEventfd'),
  does('cqEventfdToggle', a('boolean', 'enabled', true)),
  does('registerPersonality'),
  does('unregisterPersonality', u16('id', 1)),
  does(
    'registerRestrictions',
    list(
      'restrictions',
      object('restrictions[0]', { registerOp: integer('restrictions[0].registerOp', 1, 0xff) }),
      object('restrictions[1]', { sqeOp: integer('restrictions[1].sqeOp', 1, 0xff) }),
    ),
  ),
  does('enableRings'),
  does('registerIowqAff', list('cpus', integer('cpus[0]', 0, 1023))),
  does('unregisterIowqAff'),
  does('registerIowqMaxWorkers', optional(i31('bounded')), optional(i31('unbounded'))),
  does(
    'registerSyncCancel',
    {
      ...object('target', {
        userData: optional(userData('target', 8)),
        fd: optional(fd('target.fd')),
        opcode: optional(integer('target.opcode', 22, 0xff)),
      }),
      kind: 'cancelTarget',
    },
    options({ all: bool('options.all'), timeoutMs: a('milliseconds', 'options.timeoutMs', 1) }),
  ),
  does(
    'registerNapi',
    object('settings', {
      busyPollTimeoutUs: u32('settings.busyPollTimeoutUs', 1),
      preferBusyPoll: bool('settings.preferBusyPoll'),
    }),
  ),
  does('unregisterNapi'),
  does('registerClock', u32('clock', CLOCK_BOOTTIME)),
  does(
    'registerBpfFilter',
    object('filter', {
      opcode: integer('filter.opcode', 1, 0xff),
      program: list(
        'filter.program',
        object('filter.program[0]', {
          code: u16('filter.program[0].code', 6),
          jt: optional(integer('filter.program[0].jt', 0, 0xff)),
          jf: optional(integer('filter.program[0].jf', 0, 0xff)),
          k: optional(u32('filter.program[0].k', 1)),
        }),
      ),
      denyRest: bool('filter.denyRest'),
      pduSize: optional(integer('filter.pduSize', 1, 0xff)),
    }),
  ),
  does('registerRaw', u32('opcode', 2 ** 30), { ...buffer('argument'), nullable: true }, u32('count', 1)),
  does(
    'registerIfq',
    object('options', {
      interfaceIndex: u32('options.interfaceIndex', 1),
      rxQueue: u32('options.rxQueue'),
      areaBytes: integer('options.areaBytes', 65536, 2 ** 30, 1),
      rqEntries: integer('options.rqEntries', 4, 32768, 1),
    }),
  ),
  does('registerZcrxCtrl', u32('zcrxId'), a('choice', 'operation', 'flush')),
  does(
    'registerBufRing',
    integer('entries', 4, 32768, 1),
    integer('bufSize', 16, 2 ** 31 - 1, 1),
    u16('bgid', 77),
    options({ incremental: bool('incremental'), filled: bool('filled') }),
  ),
  does('probe'),
  does('registerRingFd'),
  does('unregisterRingFd'),
  does('closeRingFd'),
  does(
    'resizeRings',
    integer('entries', 64, 32768, 1),
    options({ cqEntries: integer('options.cqEntries', 256, 65536, 1) }),
  ),
  does('registerWaitRegion', integer('count', 4, 4096, 1)),
  does(
    'setWait',
    u32('index'),
    object('wait', {
      timeoutMs: optional(a('duration', 'wait.timeoutMs', 1, { max: Infinity })),
      minWaitMs: optional(a('milliseconds', 'wait.minWaitMs', 1)),
    }),
  ),
];

function futexWaiter(i: number): Argument {
  return object(`waiters[${i}]`, {
    futex: a('futex', `waiters[${i}].futex`, new Int32Array(1)),
    value: integer(`waiters[${i}].value`, 1, 2 ** 32 - 1, -(2 ** 31)),
    flags: optional(u32(`waiters[${i}].flags`, 2)),
  });
}

function tags(count: number): Argument {
  const elements = Array.from({ length: count }, (_, i) => userData(`options.tags[${i}]`, 2n ** 40n + BigInt(i)));
  return { ...list('options.tags', ...elements), kind: 'tags' };
}

/** The values of arguments. */
export const valuesOf = (args: readonly Argument[]): unknown[] => args.map(({ value }) => value);

/** All ways to call a method that queues an operation, with a name for each. */
export function callsOf({ name, arguments: args, others }: Method): [what: string, values: () => unknown[]][] {
  const first: [string, () => unknown[]] = [name, () => valuesOf(args())];
  return [first, ...others.map((values, i): [string, () => unknown[]] => [`${name}, form ${i + 2}`, values])];
}

/** Call a method by its name; a generator is begun. */
export function call(ring: IoUring, name: string, values: readonly unknown[]): unknown {
  const method = ring[name as keyof IoUring] as unknown as (...values: unknown[]) => unknown;
  const result = method.apply(ring, values.map((value) => (value === THIS ? ring : value)));
  return name === 'completions' ? (result as Iterator<unknown>).next() : result;
}

/**
 * A ring that every method can be called on with the arguments above; it is set up and never started. What a kernel is too old for it
 * lacks: the methods that need it are refused by name there.
 */
export function openForAll(entries = 8): IoUring {
  const ring = orWithout(() => new IoUring(entries, { sqe128: true, disabled: true })) ??
    new IoUring(entries, { disabled: true });
  orWithout(() => ring.registerWaitRegion(4));
  orWithout(() => ring.registerBufRing(1, 16, GROUP));
  return ring;
}

function orWithout<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (neededBy(error) === undefined) throw error;
    return undefined;
  }
}
