/** What the server can do: the commands, with the arguments that they take. Errors are redis-server's, to the letter. */
import { parseInteger, type Entry, type Keyspace } from './keyspace.ts';
import type { Replies } from './replies.ts';
import type { Request } from './request.ts';

/** What a command works with. */
export interface Context {
  readonly request: Request;
  readonly replies: Replies;
  readonly keyspace: Keyspace;
  /** What `CONFIG GET` and `INFO` tell. */
  readonly server: ServerInfo;
  /** Who asks. */
  client: Asker;
}

/** What a command can do with its client. */
export interface Asker {
  readonly id: number;
  /** `CLIENT SETNAME`. */
  name: string;
  /** Close the connection when all replies are sent. */
  quit(): void;
}

export interface ServerInfo {
  readonly parameters: Readonly<Record<string, string>>;
  readonly startedAt: number;
  readonly clients: number;
  /** Requests so far. */
  requests: number;
}

export interface Command {
  readonly name: string;
  /** Arguments with the name; of a negative number at least so many. */
  readonly arity: number;
  readonly flags: readonly string[];
  /** Which arguments are keys: first, last (-1: to the end), step. */
  readonly keys: readonly [number, number, number];
  run(context: Context): void;
}

const NOT_AN_INTEGER = 'ERR value is not an integer or out of range';
const SYNTAX = 'ERR syntax error';

const INT64_MAX = 2n ** 63n - 1n;
/** Times are kept as numbers, which are exact up to here: far beyond every date. */
const TIME_MAX = BigInt(Number.MAX_SAFE_INTEGER);

function integer({ bytes, starts, ends }: Request, i: number): number | bigint | undefined {
  return parseInteger(bytes, starts[i], ends[i]);
}

// ---------------------------------------------------------------- strings

function get({ request, replies, keyspace }: Context): void {
  const entry = keyspace.get(request.latin1(1));
  if (entry === undefined) replies.nil();
  else replies.bulk(entry.bytes, entry.length);
}

/** What was asked for with SET beside the key and the value. */
class SetOptions {
  expiresAt = 0;
  ifAbsent = false;
  ifPresent = false;
  keepsTime = false;
  returnsOld = false;

  /** The error, if there is one. */
  read({ request, keyspace }: Context): string | undefined {
    let hasTime = false;
    for (let i = 3; i < request.count; i++) {
      const unit = TIME_OPTIONS.find(({ word }) => request.is(i, word));
      if (request.is(i, 'nx') && !this.ifPresent) this.ifAbsent = true;
      else if (request.is(i, 'xx') && !this.ifAbsent) this.ifPresent = true;
      else if (request.is(i, 'get')) this.returnsOld = true;
      else if (request.is(i, 'keepttl') && !hasTime) this.keepsTime = true;
      else if (unit !== undefined && !hasTime && !this.keepsTime && i + 1 < request.count) {
        hasTime = true;
        const time = timeOf(integer(request, ++i), unit.ms, unit.isAbsolute ? 0 : keyspace.now);
        if (typeof time === 'string') return time === '' ? "ERR invalid expire time in 'set' command" : time;
        if (time <= (unit.isAbsolute ? 0 : keyspace.now)) return "ERR invalid expire time in 'set' command";
        this.expiresAt = time;
      } else return SYNTAX;
    }
    return undefined;
  }
}

const TIME_OPTIONS = [
  { word: 'ex', ms: 1000, isAbsolute: false },
  { word: 'px', ms: 1, isAbsolute: false },
  { word: 'exat', ms: 1000, isAbsolute: true },
  { word: 'pxat', ms: 1, isAbsolute: true },
];

/** Milliseconds since 1970. A string: what is wrong with it; an empty one: it is out of range. */
function timeOf(value: number | bigint | undefined, ms: number, base: number): number | string {
  if (value === undefined) return NOT_AN_INTEGER;
  const time = BigInt(value) * BigInt(ms) + BigInt(base);
  if (time > INT64_MAX || time < -INT64_MAX) return '';
  return Number(time > TIME_MAX ? TIME_MAX : time);
}

const PLAIN = new SetOptions();

function set(context: Context): void {
  const { request, replies, keyspace } = context;
  const key = request.latin1(1);
  const options = request.count === 3 ? PLAIN : new SetOptions();
  if (request.count > 3) {
    const error = options.read(context);
    if (error !== undefined) return replies.error(error);
    const former = keyspace.get(key);
    if (options.returnsOld) bulkOrNil(replies, former);
    if ((options.ifAbsent && former !== undefined) || (options.ifPresent && former === undefined)) {
      if (!options.returnsOld) replies.nil();
      return;
    }
  }
  const entry = keyspace.set(key, request.bytes, request.starts[2], request.ends[2], options.keepsTime);
  if (options.expiresAt !== 0) keyspace.expire(key, entry, options.expiresAt);
  if (!options.returnsOld) replies.simple('OK');
}

function bulkOrNil(replies: Replies, entry: Entry | undefined): void {
  if (entry === undefined) replies.nil();
  else replies.bulk(entry.bytes, entry.length);
}

function setnx({ request, replies, keyspace }: Context): void {
  const key = request.latin1(1);
  const isNew = keyspace.get(key) === undefined;
  if (isNew) keyspace.set(key, request.bytes, request.starts[2], request.ends[2]);
  replies.integer(isNew ? 1 : 0);
}

function setWithTime(name: string, ms: number): (context: Context) => void {
  return ({ request, replies, keyspace }) => {
    const time = timeOf(integer(request, 2), ms, keyspace.now);
    if (time === NOT_AN_INTEGER) return replies.error(NOT_AN_INTEGER);
    if (typeof time === 'string' || time <= keyspace.now) {
      return replies.error(`ERR invalid expire time in '${name}' command`);
    }
    const key = request.latin1(1);
    keyspace.expire(key, keyspace.set(key, request.bytes, request.starts[3], request.ends[3]), time);
    replies.simple('OK');
  };
}

function mset({ request, replies, keyspace }: Context): void {
  if (request.count % 2 === 0) return replies.error("ERR wrong number of arguments for 'mset' command");
  for (let i = 1; i < request.count; i += 2) {
    keyspace.set(request.latin1(i), request.bytes, request.starts[i + 1], request.ends[i + 1]);
  }
  replies.simple('OK');
}

function mget({ request, replies, keyspace }: Context): void {
  replies.array(request.count - 1);
  for (let i = 1; i < request.count; i++) bulkOrNil(replies, keyspace.get(request.latin1(i)));
}

function getdel({ request, replies, keyspace }: Context): void {
  const key = request.latin1(1);
  bulkOrNil(replies, keyspace.get(key));
  keyspace.delete(key);
}

function append({ request, replies, keyspace }: Context): void {
  const key = request.latin1(1);
  let entry = keyspace.get(key);
  if (entry === undefined) entry = keyspace.set(key, request.bytes, request.starts[2], request.ends[2]);
  else entry.append(request.argument(2));
  replies.integer(entry.length);
}

function strlen({ request, replies, keyspace }: Context): void {
  replies.integer(keyspace.get(request.latin1(1))?.length ?? 0);
}

function add({ request, replies, keyspace }: Context, delta: number | bigint | undefined): void {
  if (delta === undefined) return replies.error(NOT_AN_INTEGER);
  const sum = keyspace.add(request.latin1(1), delta);
  if (sum === undefined) replies.error(NOT_AN_INTEGER);
  else if (sum === null) replies.error('ERR increment or decrement would overflow');
  else replies.integer(sum);
}

function decrby(context: Context): void {
  const delta = integer(context.request, 2);
  if (delta === -INT64_MAX - 1n) return context.replies.error('ERR decrement would overflow');
  add(context, delta === undefined ? undefined : -delta);
}

// ---------------------------------------------------------------- keys

function countKeys({ request, replies }: Context, isCounted: (key: string) => boolean): void {
  let count = 0;
  for (let i = 1; i < request.count; i++) if (isCounted(request.latin1(i))) count++;
  replies.integer(count);
}

function expire(name: string, ms: number, isAbsolute: boolean): (context: Context) => void {
  return ({ request, replies, keyspace }) => {
    const time = timeOf(integer(request, 2), ms, isAbsolute ? 0 : keyspace.now);
    const has = { nx: false, xx: false, gt: false, lt: false };
    for (let i = 3; i < request.count; i++) {
      const word = request.latin1(i);
      if (!Object.hasOwn(has, word.toLowerCase())) return replies.error(`ERR Unsupported option ${word}`);
      has[word.toLowerCase() as keyof typeof has] = true;
    }
    if (has.nx && (has.xx || has.gt || has.lt)) {
      return replies.error('ERR NX and XX, GT or LT options at the same time are not compatible');
    }
    if (has.gt && has.lt) return replies.error('ERR GT and LT options at the same time are not compatible');
    if (time === '') return replies.error(`ERR invalid expire time in '${name}' command`);
    if (typeof time === 'string') return replies.error(time);
    const key = request.latin1(1);
    const entry = keyspace.get(key);
    if (entry === undefined) return replies.integer(0);
    const before = entry.expiresAt === 0 ? Infinity : entry.expiresAt;
    const isKept = (has.nx && before !== Infinity) || (has.xx && before === Infinity);
    if (isKept || (has.gt && time <= before) || (has.lt && time >= before)) return replies.integer(0);
    if (time <= keyspace.now) keyspace.delete(key);
    else keyspace.expire(key, entry, time);
    replies.integer(1);
  };
}

/** -2: no such key; -1: it has no time. */
function timeToLive({ request, replies, keyspace }: Context, ms: number): void {
  const entry = keyspace.get(request.latin1(1));
  if (entry === undefined) replies.integer(-2);
  else if (entry.expiresAt === 0) replies.integer(-1);
  else replies.integer(Math.floor((entry.expiresAt - keyspace.now + (ms >> 1)) / ms));
}

function persist({ request, replies, keyspace }: Context): void {
  const key = request.latin1(1);
  const entry = keyspace.get(key);
  const isMortal = entry !== undefined && entry.expiresAt !== 0;
  if (isMortal) keyspace.expire(key, entry, 0);
  replies.integer(isMortal ? 1 : 0);
}

function flush({ request, replies, keyspace }: Context): void {
  const isKnown = request.count === 1 || (request.count === 2 && (request.is(1, 'sync') || request.is(1, 'async')));
  if (!isKnown) return replies.error(SYNTAX);
  keyspace.clear();
  replies.simple('OK');
}

// ---------------------------------------------------------------- the connection and the server

function ping({ request, replies }: Context): void {
  if (request.count > 2) replies.error("ERR wrong number of arguments for 'ping' command");
  else if (request.count === 2) replies.bulk(request.argument(1).slice());
  else replies.simple('PONG');
}

function select({ request, replies }: Context): void {
  const index = integer(request, 1);
  if (index === undefined) replies.error('ERR value is not an integer or out of range');
  else if (index === 0) replies.simple('OK');
  else replies.error('ERR DB index is out of range');
}

/** This one is spoken, and no newer one: clients go on with it. */
function hello({ request, replies, client, server }: Context): void {
  if (request.count > 1 && !(request.count === 2 && request.is(1, '2'))) {
    const isVersion = integer(request, 1) !== undefined;
    if (!isVersion) return replies.error('ERR Protocol version is not an integer or out of range');
    return replies.error(request.is(1, '2') ? SYNTAX : 'NOPROTO unsupported protocol version');
  }
  replies.array(8);
  for (const text of ['server', 'iouring-resp', 'version', server.parameters['version']]) replies.text(text);
  replies.text('proto');
  replies.integer(2);
  replies.text('id');
  replies.integer(client.id);
}

function clientCommand({ request, replies, client }: Context): void {
  if (request.is(1, 'id') && request.count === 2) return replies.integer(client.id);
  if (request.is(1, 'getname') && request.count === 2) {
    return client.name === '' ? replies.nil() : replies.bulk(Buffer.from(client.name, 'latin1'));
  }
  if (request.is(1, 'setname') && request.count === 3) {
    const name = request.latin1(2);
    if (/[^!-~]/.test(name)) {
      return replies.error('ERR Client names cannot contain spaces, newlines or special characters.');
    }
    client.name = name;
    return replies.simple('OK');
  }
  unknownSubcommand('CLIENT', request, replies);
}

function unknownSubcommand(name: string, request: Request, replies: Replies): void {
  const word = request.latin1(1).slice(0, 128);
  replies.error(`ERR unknown subcommand '${word}'. Try ${name} HELP.`);
}

function info({ replies, keyspace, server }: Context): void {
  const sections = {
    Server: {
      redis_version: server.parameters['version'],
      redis_mode: 'standalone',
      process_id: process.pid,
      uptime_in_seconds: Math.floor((Date.now() - server.startedAt) / 1000),
    },
    Clients: { connected_clients: server.clients, maxclients: server.parameters['maxclients'] },
    Memory: { used_memory: process.memoryUsage.rss() },
    Persistence: { loading: 0 },
    Stats: { total_commands_processed: server.requests },
    Replication: { role: 'master', connected_slaves: 0 },
    Keyspace: keyspace.size > 0 ? { db0: `keys=${keyspace.size}` } : {},
  };
  const text = Object.entries(sections).map(([name, fields]) =>
    [`# ${name}`, ...Object.entries(fields).map(([key, value]) => `${key}:${value}`), ''].join('\r\n')
  );
  replies.text(text.join('\r\n'));
}

function config({ request, replies, server }: Context): void {
  if (request.is(1, 'resetstat') && request.count === 2) return replies.simple('OK');
  if (!request.is(1, 'get') || request.count < 3) return unknownSubcommand('CONFIG', request, replies);
  const all = Object.entries(server.parameters);
  const wanted = new Set(Array.from({ length: request.count - 2 }, (_, i) => request.latin1(i + 2).toLowerCase()));
  const found = all.filter(([name]) => wanted.has('*') || wanted.has(name));
  replies.array(found.length * 2);
  for (const word of found.flat()) replies.text(word);
}

function command({ request, replies }: Context): void {
  const all = [...COMMANDS.values()];
  if (request.count === 1) {
    replies.array(all.length);
    for (const one of all) describe(one, replies);
  } else if (request.is(1, 'count') && request.count === 2) {
    replies.integer(all.length);
  } else if (request.is(1, 'info')) {
    replies.array(request.count - 2);
    for (let i = 2; i < request.count; i++) {
      const one = COMMANDS.get(request.latin1(i).toLowerCase());
      if (one === undefined) replies.nilArray();
      else describe(one, replies);
    }
  } else if (request.is(1, 'docs')) {
    replies.array(0);
  } else {
    unknownSubcommand('COMMAND', request, replies);
  }
}

function describe({ name, arity, flags, keys }: Command, replies: Replies): void {
  replies.array(6);
  replies.text(name);
  replies.integer(arity);
  replies.array(flags.length);
  for (const flag of flags) replies.simple(flag);
  for (const key of keys) replies.integer(key);
}

// ---------------------------------------------------------------- the table

type Keys = Command['keys'];
const NO_KEY: Keys = [0, 0, 0];
const ONE: Keys = [1, 1, 1];
const ALL: Keys = [1, -1, 1];
const READS = ['readonly', 'fast'];
const WRITES = ['write', 'denyoom'];

const TABLE: readonly (readonly [string, number, readonly string[], Keys, (context: Context) => void])[] = [
  ['get', 2, READS, ONE, get],
  ['set', -3, WRITES, ONE, set],
  ['setnx', 3, WRITES, ONE, setnx],
  ['setex', 4, WRITES, ONE, setWithTime('setex', 1000)],
  ['psetex', 4, WRITES, ONE, setWithTime('psetex', 1)],
  ['mset', -3, WRITES, [1, -1, 2], mset],
  ['mget', -2, READS, ALL, mget],
  ['getdel', 2, ['write', 'fast'], ONE, getdel],
  ['append', 3, WRITES, ONE, append],
  ['strlen', 2, READS, ONE, strlen],
  ['incr', 2, WRITES, ONE, (context) => add(context, 1)],
  ['decr', 2, WRITES, ONE, (context) => add(context, -1)],
  ['incrby', 3, WRITES, ONE, (context) => add(context, integer(context.request, 2))],
  ['decrby', 3, WRITES, ONE, decrby],
  ['del', -2, ['write'], ALL, (context) => countKeys(context, (key) => context.keyspace.delete(key))],
  ['unlink', -2, ['write', 'fast'], ALL, (context) => countKeys(context, (key) => context.keyspace.delete(key))],
  ['exists', -2, READS, ALL, (context) => countKeys(context, (key) => context.keyspace.get(key) !== undefined)],
  ['type', 2, READS, ONE,
    ({ request, replies, keyspace }) =>
      replies.simple(keyspace.get(request.latin1(1)) === undefined ? 'none' : 'string')],
  ['expire', -3, ['write', 'fast'], ONE, expire('expire', 1000, false)],
  ['pexpire', -3, ['write', 'fast'], ONE, expire('pexpire', 1, false)],
  ['expireat', -3, ['write', 'fast'], ONE, expire('expireat', 1000, true)],
  ['pexpireat', -3, ['write', 'fast'], ONE, expire('pexpireat', 1, true)],
  ['ttl', 2, READS, ONE, (context) => timeToLive(context, 1000)],
  ['pttl', 2, READS, ONE, (context) => timeToLive(context, 1)],
  ['persist', 2, ['write', 'fast'], ONE, persist],
  ['dbsize', 1, READS, NO_KEY, ({ replies, keyspace }) => replies.integer(keyspace.size)],
  ['flushall', -1, ['write'], NO_KEY, flush],
  ['flushdb', -1, ['write'], NO_KEY, flush],
  ['ping', -1, ['fast'], NO_KEY, ping],
  ['echo', 2, ['fast'], NO_KEY, ({ request, replies }) => replies.bulk(request.argument(1).slice())],
  ['select', 2, ['fast'], NO_KEY, select],
  ['hello', -1, ['fast'], NO_KEY, hello],
  ['client', -2, ['admin'], NO_KEY, clientCommand],
  ['command', -1, ['loading'], NO_KEY, command],
  ['config', -2, ['admin'], NO_KEY, config],
  ['info', -1, ['loading'], NO_KEY, info],
  ['quit', -1, ['fast'], NO_KEY, ({ replies, client }) => {
    replies.simple('OK');
    client.quit();
  }],
];

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  TABLE.map(([name, arity, flags, keys, run]) => [name, { name, arity, flags, keys, run }]),
);

/** Commands by a hash of their name, so that no string is made to find one. */
const BY_HASH = new Map<number, Command>();
for (const one of COMMANDS.values()) {
  const hash = hashOf(Buffer.from(one.name), 0, one.name.length);
  if (BY_HASH.has(hash)) throw new Error(`the hash of ${one.name} is that of another command too`);
  BY_HASH.set(hash, one);
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] | 0x20)) | 0;
  return hash;
}

/** Do what the request says. */
export function execute(context: Context): void {
  const { request, replies, server } = context;
  if (request.count === 0) return;
  server.requests++;
  const found = BY_HASH.get(hashOf(request.bytes, request.starts[0], request.ends[0]));
  if (found === undefined || !request.is(0, found.name)) return replies.error(unknown(request));
  const { arity, name } = found;
  if (arity > 0 ? request.count !== arity : request.count < -arity) {
    return replies.error(`ERR wrong number of arguments for '${name}' command`);
  }
  found.run(context);
}

function unknown(request: Request): string {
  let rest = '';
  for (let i = 1; i < request.count && rest.length < SHOWN_MAX; i++) {
    rest += `'${shown(request, i, SHOWN_MAX - rest.length)}' `;
  }
  return `ERR unknown command '${shown(request, 0, SHOWN_MAX)}', with args beginning with: ${rest}`;
}

const SHOWN_MAX = 128;

/** The beginning of an argument, in C's way: a zero ends it. */
function shown(request: Request, i: number, length: number): string {
  return request.latin1(i).slice(0, length).split('\0', 1)[0];
}
