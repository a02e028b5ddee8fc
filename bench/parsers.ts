/**
 * Parsers of HTTP/1 requests side by side: which malformed requests they take, which well-formed ones they refuse, and how many
 * requests they parse in a second. `iouring serve` has the first of them; the others are asked for in a folder where they are installed:
 *
 *     npm install --prefix FOLDER undici llhttp-wasm @perseveranza-pets/milo http-parser-js
 *     node build/bench/parsers.js FOLDER
 */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { RequestReader, type Incoming } from '../src/cli/serve/http-request.ts';
import { get, MALFORMED, MALFORMED_BODIES, WELL_FORMED } from '../test/cli/serve/malformed-requests.ts';
import { inProject } from './project.ts';

/** What became of some bytes: how many requests were complete, and what was said against them. */
interface Outcome {
  requests: number;
  error: string | undefined;
}

/** Parses what a new connection brings. With `keep`, the connection is the one of before. */
type Parse = (bytes: Buffer, keep?: boolean) => Outcome;

/** What is used of a package, which has no types here. */
type Loose = Record<string, unknown> & ((...args: unknown[]) => unknown);

const FIELDS_MAX = 200;
const HEAD_MAX = 16_384;
/** Of so many rounds the best counts, for the machine may have other work to do; a round of all of them comes before the next one. */
const ROUNDS = 5;
const ROUND_MS = 300;
/** In milliseconds; a parser that has not come to an end of the list by then never does. */
const DEADLINE = 20_000;
const BROWSER = get(
  '/index.html',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: text/html,application/xhtml+xml,*/*;q=0.8\r\n' +
    'Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nIf-None-Match: "4a-193b"\r\n',
);

const PARSERS: Readonly<Record<string, (load: (name: string) => Loose) => Parse>> = {
  'iouring serve': serveReader,
  'bare-http-parser': bareParser,
  'llhttp of undici': llhttp,
  'llhttp-wasm': llhttpPackage,
  '@perseveranza-pets/milo': milo,
  'http-parser-js': jsParser,
};

function serveReader(): Parse {
  let reader = new RequestReader(HEAD_MAX);
  return (bytes, keep) => {
    if (!keep) reader = new RequestReader(HEAD_MAX);
    const incoming: Incoming[] = [];
    reader.push(bytes, incoming);
    const refusal = incoming.find((one) => one.refusal !== undefined)?.refusal;
    return { requests: incoming.length - (refusal === undefined ? 0 : 1), error: refusal?.toString() };
  };
}

function bareParser(load: (name: string) => Loose): Parse {
  const HTTPParser = load('bare-http-parser') as unknown as new (
    options: object,
  ) => { push(data: Buffer): Iterable<{ type: number }> };
  const make = (): InstanceType<typeof HTTPParser> =>
    new HTTPParser({ maxHeaderSize: HEAD_MAX, maxHeadersCount: FIELDS_MAX });
  let parser = make();
  return (bytes, keep) => {
    if (!keep) parser = make();
    const outcome: Outcome = { requests: 0, error: undefined };
    try {
      for (const { type } of parser.push(bytes)) outcome.requests += Number(type === 4);
    } catch (error) {
      outcome.error = (error as Error).message;
    }
    return outcome;
  };
}

interface Wasm {
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(length: number): number;
  llhttp_alloc(type: number): number;
  llhttp_free(parser: number): void;
  llhttp_execute(parser: number, data: number, length: number): number;
  llhttp_get_error_pos(parser: number): number;
  llhttp_resume_after_upgrade(parser: number): void;
}

/** This project is compiled without the types of browsers. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: {
    Module: new (bytes: unknown) => object;
    Instance: new (module: object, imports: object) => { exports: Wasm };
  };
};

/** With what a server needs of it: strings of the target and of the fields. */
function llhttp(load: (name: string) => Loose): Parse {
  const [requests, pausedUpgrade] = [1, 22];
  let outcome: Outcome;
  let memory = Buffer.alloc(0);
  let strings: string[] = [];
  const keepText = (_: number, at: number, length: number): number => {
    strings.push(memory.toString('latin1', at, at + length));
    return 0;
  };
  const nothing = (): number => 0;
  const module = new WebAssembly.Module(load('undici/lib/llhttp/llhttp-wasm.js'));
  const { exports: wasm } = new WebAssembly.Instance(module, {
    env: {
      wasm_on_message_begin() {
        strings = [];
        return 0;
      },
      wasm_on_url: keepText,
      wasm_on_status: nothing,
      wasm_on_header_field: keepText,
      wasm_on_header_value: keepText,
      wasm_on_headers_complete: nothing,
      wasm_on_body: nothing,
      wasm_on_message_complete() {
        outcome.requests++;
        return 0;
      },
    },
  });
  const place = wasm.malloc(HEAD_MAX);
  let parser = wasm.llhttp_alloc(requests);
  return (bytes, keep) => {
    if (!keep) {
      wasm.llhttp_free(parser);
      parser = wasm.llhttp_alloc(requests);
    }
    if (memory.buffer !== wasm.memory.buffer) memory = Buffer.from(wasm.memory.buffer);
    memory.set(bytes, place);
    outcome = { requests: 0, error: undefined };
    for (let at = 0; at < bytes.length;) {
      const result = wasm.llhttp_execute(parser, place + at, bytes.length - at);
      if (result === pausedUpgrade) {
        // A server that offers no other protocol goes on with this one.
        at = wasm.llhttp_get_error_pos(parser) - place;
        wasm.llhttp_resume_after_upgrade(parser);
        continue;
      }
      if (result !== 0) outcome.error = String(result);
      break;
    }
    return outcome;
  };
}

function llhttpPackage(load: (name: string) => Loose): Parse {
  const { createParser } = load('llhttp-wasm') as unknown as {
    createParser(
      type: string,
    ): {
      onMessageComplete(): number;
      execute(data: Buffer): number;
      getErrorName(code: number): string;
      destroy(): void;
    };
  };
  let outcome: Outcome;
  const make = (): ReturnType<typeof createParser> =>
    Object.assign(createParser('REQUEST'), {
      onMessageComplete() {
        outcome.requests++;
        return 0;
      },
    });
  let parser = make();
  return (bytes, keep) => {
    if (!keep) {
      parser.destroy();
      parser = make();
    }
    outcome = { requests: 0, error: undefined };
    const code = parser.execute(bytes);
    if (code !== 0) outcome.error = parser.getErrorName(code);
    return outcome;
  };
}

function milo(load: (name: string) => Loose): Parse {
  const library = (load('@perseveranza-pets/milo') as unknown as { milo: unknown }).milo as Record<
    string,
    (...args: unknown[]) => number
  > & {
    memory: { buffer: Uint8Array<ArrayBuffer> | ArrayBuffer };
    MESSAGE_TYPE_REQUEST: number;
  };
  let outcome: Outcome;
  let [parser, memory] = [0, Buffer.alloc(0)];
  const place = library.alloc(HEAD_MAX);
  const make = (): number => {
    const made = library.create();
    library.setMode(made, library.MESSAGE_TYPE_REQUEST);
    library.setOnMessageComplete(made, () => void outcome.requests++);
    let strings: string[] = [];
    library.setOnUrl(
      made,
      (_: number, at: number, size: number) =>
        void (strings = [memory.toString('latin1', place + at, place + at + size)]),
    );
    for (const part of ['Name', 'Value']) {
      library[`setOnHeader${part}`](
        made,
        (_: number, at: number, size: number) =>
          void strings.push(memory.toString('latin1', place + at, place + at + size)),
      );
    }
    return made;
  };
  parser = make();
  return (bytes, keep) => {
    if (!keep) {
      library.destroy(parser);
      parser = make();
    }
    const { buffer } = library.memory;
    memory = buffer instanceof Uint8Array ? Buffer.from(buffer.buffer) : Buffer.from(buffer);
    memory.set(bytes, place);
    outcome = { requests: 0, error: undefined };
    library.parse(parser, place, bytes.length);
    const code = library.getErrorCode(parser);
    if (code !== 0) outcome.error = String(code);
    return outcome;
  };
}

function jsParser(load: (name: string) => Loose): Parse {
  const { HTTPParser } = load('http-parser-js') as unknown as {
    HTTPParser: {
      new (type: string): Record<number, () => void> & { execute(data: Buffer): unknown };
      REQUEST: string;
      kOnHeadersComplete: number;
      kOnBody: number;
      kOnMessageComplete: number;
    };
  };
  let outcome: Outcome;
  const make = (): InstanceType<typeof HTTPParser> => {
    const parser = new HTTPParser(HTTPParser.REQUEST);
    parser[HTTPParser.kOnHeadersComplete] = () => {};
    parser[HTTPParser.kOnBody] = () => {};
    parser[HTTPParser.kOnMessageComplete] = () => void outcome.requests++;
    return parser;
  };
  let parser = make();
  return (bytes, keep) => {
    if (!keep) parser = make();
    outcome = { requests: 0, error: undefined };
    const result = parser.execute(bytes);
    if (result instanceof Error) outcome.error = result.message;
    return outcome;
  };
}

/** What a worker is to do: with the malformed and the well-formed ones of these numbers, or as fast as it can. */
type Task =
  & { readonly name: string; readonly folder: string }
  & ({ readonly case: number } | { readonly rate: boolean });

const CASES: readonly (readonly [request: string, isGood: boolean])[] = [
  ...[...MALFORMED, ...MALFORMED_BODIES].map((request) => [request, false] as const),
  ...WELL_FORMED.map((request) => [request, true] as const),
];

/** Is it taken if it is good, and refused before anything behind it is taken if it is not? */
function isRight(parse: Parse, [request, isGood]: (typeof CASES)[number]): boolean {
  try {
    const { requests, error } = parse(Buffer.from(isGood ? request : request + get('/2'), 'latin1'));
    return isGood ? requests === 1 && error === undefined : requests === 0 && error !== undefined;
  } catch {
    return !isGood;
  }
}

function work(task: Task): void {
  const require = createRequire(join(resolve(task.folder), 'package.json'));
  const own = createRequire(import.meta.url);
  const parse = PARSERS[task.name]((name) => (name === 'bare-http-parser' ? own(name) : require(name)) as Loose);
  if ('rate' in task) {
    const bytes = Buffer.from(BROWSER, 'latin1');
    for (let i = 0; i < 20_000; i++) parse(bytes, i > 0);
    const start = performance.now();
    let [count, now] = [0, start];
    for (; now - start < ROUND_MS; now = performance.now()) {
      for (let i = 0; i < 256; i++) count += parse(bytes, true).requests;
    }
    parentPort!.postMessage((count / (now - start)) * 1000);
    return;
  }
  for (let i = task.case; i < CASES.length; i++) {
    parentPort!.postMessage({ begun: i });
    parentPort!.postMessage({ done: i, isRight: isRight(parse, CASES[i]) });
  }
}

interface Judged {
  readonly wrong: string[];
  readonly taken: number;
  readonly refused: number;
  readonly endless: number;
}

/** Each parser in a thread of its own, which is ended where a request keeps it busy for ever. */
async function judge(name: string, folder: string): Promise<Judged> {
  const right = new Map<number, boolean | 'endless'>();
  while (right.size < CASES.length) {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { name, folder, case: right.size } satisfies Task,
    });
    const failure = await new Promise<Error | undefined>((end) => {
      let timer = setTimeout(() => end(undefined), DEADLINE / 10);
      worker.on('message', (message: { begun?: number; done?: number; isRight?: boolean }) => {
        if (message.done !== undefined) right.set(message.done, message.isRight!);
        clearTimeout(timer);
        timer = setTimeout(() => end(undefined), DEADLINE / 10);
      });
      worker.on('error', end);
      worker.on('exit', () => {
        clearTimeout(timer);
        end(undefined);
      });
    });
    await worker.terminate();
    if (failure !== undefined) throw failure;
    if (right.size < CASES.length) right.set(right.size, 'endless');
  }
  const wrong = [...right].filter(([, is]) => is !== true);
  return {
    wrong: wrong.map(([i, is]) =>
      `${is === 'endless' ? 'never returns from' : CASES[i][1] ? 'refuses' : 'takes'} ${JSON.stringify(CASES[i][0])}`
    ),
    taken: wrong.filter(([i, is]) => is === false && !CASES[i][1]).length,
    refused: wrong.filter(([i, is]) => is === false && CASES[i][1]).length,
    endless: wrong.filter(([, is]) => is === 'endless').length,
  };
}

async function rateOf(name: string, folder: string): Promise<number> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { name, folder, rate: true } satisfies Task });
  try {
    return await new Promise<number>((done, fail) => {
      worker.on('message', done).on('error', fail);
      setTimeout(() => fail(new Error('it never returns')), DEADLINE).unref();
    });
  } finally {
    await worker.terminate();
  }
}

async function main(folder = inProject(), details?: string): Promise<void> {
  const judged = new Map<string, Judged>();
  const missing: string[] = [];
  for (const name of Object.keys(PARSERS)) {
    try {
      judged.set(name, await judge(name, folder));
    } catch (error) {
      missing.push(`${name} takes no part: ${(error as Error).message.split('\n', 1)[0]}`);
    }
  }
  const rates = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of judged.keys()) rates.set(name, Math.max(rates.get(name) ?? 0, await rateOf(name, folder)));
  }
  const malformed = MALFORMED.length + MALFORMED_BODIES.length;
  const lines = [
    `| parser | of ${malformed} malformed taken | of ${WELL_FORMED.length} well-formed refused | never returns | requests/s |`,
    '|---|---:|---:|---:|---:|',
  ];
  for (const [name, { taken, refused, endless }] of judged) {
    lines.push(
      `| ${name} | ${taken} | ${refused} | ${endless} | ${Math.round(rates.get(name)!).toLocaleString('en')} |`,
    );
  }
  lines.push(...missing);
  if (details === '--details') {
    for (const [name, { wrong }] of judged) lines.push(...wrong.map((line) => `${name} ${line}`));
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

if (isMainThread) await main(...process.argv.slice(2));
else work(workerData as Task);
