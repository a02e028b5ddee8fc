/**
 * Counters on all cores: `node many-cores.js [--port 7000] [--threads N]`. A client sends lines, `42` for "add one to counter 42", and
 * gets a line for each with what it is then. SIGTERM or SIGINT end it when everybody has got his answers.
 *
 * The recipe for a server on many cores:
 *
 * 1. One thread a core, each with one reactor: `defaultReactor()`, which `listen` uses too. Nothing is shared, so nothing is locked.
 * 2. Each listens on the same port, with `reusePort`. The kernel spreads connections over the threads, and no thread hands any on.
 * 3. What there is once belongs to one thread: here a counter to thread `counter % threads`. The others ask that one, by messages
 *    from ring to ring: `io.message(ringFd, value, tag)` there, `io.messages()` here. The kernel puts them into the other ring and
 *    wakes its loop; no memory is copied between threads, and no JavaScript object is serialized.
 * 4. A message is 64 bits. Here: the number of the counter, or what it is, as the value; who asks, for which of his requests, and
 *    whether it is the answer, as the tag. What is larger goes through a SharedArrayBuffer, and the message says where.
 * 5. The end has two steps. First all stop accepting, and finish what they have; they still answer each other. When all have, all end.
 *    A connection that waits to be accepted by a thread that ends is reset: take clients away first, if they must not notice.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { defaultReactor } from 'iouring';
import { listen, type LeanSocket, type Listener } from 'iouring/socket';

// ---------------------------------------------------------------- what a message says

const ANSWER = 0x8000_0000;
const THREADS_MAX = 0x7fff;
const REQUESTS_MAX = 0x1_0000;

const tagOf = (thread: number, request: number): number => thread * REQUESTS_MAX + request;
const threadOf = (tag: number): number => (tag >>> 16) & 0x7fff;
const requestOf = (tag: number): number => tag & 0xffff;

/** What the main thread tells the others. */
type Order = { step: 'serve'; port: number; ringFds: number[] } | { step: 'finish' } | { step: 'end' };

// ---------------------------------------------------------------- the main thread: begins and ends

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '7000' }, threads: { type: 'string' } } });
  const threads = Math.min(THREADS_MAX, Number(values.threads ?? availableParallelism()));
  const workers = Array.from({ length: threads }, (_, thread) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { thread, threads } });
    worker.once('error', (error) => {
      throw error;
    });
    return worker;
  });
  const heard = <T>(worker: Worker): Promise<T> => new Promise((resolve) => void worker.once('message', resolve));
  const tell = (worker: Worker, order: Order): void => worker.postMessage(order);

  // All have a ring before any has a client. The first may choose a port; the others take the same.
  const ringFds = await Promise.all(workers.map((worker) => heard<number>(worker)));
  let port = Number(values.port);
  for (const worker of workers) {
    tell(worker, { step: 'serve', port, ringFds });
    port = await heard<number>(worker);
  }
  console.log(`listening on ${port}`);

  const end = async (): Promise<void> => {
    const finished = Promise.all(workers.map((worker) => heard<string>(worker)));
    for (const worker of workers) tell(worker, { step: 'finish' });
    for (const line of await finished) console.log(line);
    for (const worker of workers) tell(worker, { step: 'end' });
  };
  let ending: Promise<void> | undefined;
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void (ending ??= end()));
}

// ---------------------------------------------------------------- a thread: its connections, and its counters

class Client {
  readonly #socket: LeanSocket<Client | undefined>;
  readonly #thread: CounterThread;
  /** Answers in the order of the questions; undefined where one is still to come. */
  readonly #answers: (number | string | undefined)[] = [];
  /** How many there were before those. */
  #given = 0;
  #line = '';
  /** What the socket did not take. */
  #untaken = '';
  /** There will be no more questions. */
  #hasEnded = false;

  constructor(socket: LeanSocket<Client | undefined>, thread: CounterThread) {
    this.#socket = socket;
    this.#thread = thread;
  }

  /** Is everything answered, and taken? */
  get isServed(): boolean {
    return this.#answers.length === 0 && this.#untaken === '';
  }

  received(data: Buffer): void {
    if (this.#hasEnded) return;
    const lines = (this.#line + data.toString('latin1')).split('\n');
    this.#line = lines.pop()!;
    if (this.#line.length > 20) return this.#socket.terminate();
    for (const line of lines) {
      const at = this.#given + this.#answers.push(undefined) - 1;
      if (/^\d{1,9}\r?$/.test(line)) this.#thread.ask(Number(line), (value) => this.#answered(at, value));
      else this.#answered(at, 'no counter');
    }
    this.send();
  }

  #answered(at: number, value: number | string): void {
    this.#answers[at - this.#given] = value;
    // More of them come in the same turn: they are sent together.
    if (at === this.#given) this.#thread.sendLater(this);
  }

  /** What is answered up to the first that is not. */
  send(): void {
    let count = 0;
    while (this.#answers[count] !== undefined) this.#untaken += `${this.#answers[count++]}\n`;
    this.#answers.splice(0, count);
    this.#given += count;
    this.drained();
  }

  /** A client that does not take its answers is not asked for more questions. */
  drained(): void {
    if (this.#untaken !== '') this.#untaken = this.#untaken.slice(this.#socket.write(this.#untaken));
    if (this.#untaken === '') this.#socket.resume();
    else this.#socket.pause();
    if (this.#hasEnded && this.isServed) this.#socket.end();
  }

  /** It asks nothing more, or is not heard any more. What it asked is answered. */
  ended(): void {
    this.#hasEnded = true;
    if (this.isServed) this.#socket.end();
  }
}

class CounterThread {
  readonly #thread: number;
  readonly #threads: number;
  readonly #io = defaultReactor();
  readonly #messages = this.#io.messages();
  readonly #counters = new Map<number, number>();
  readonly #clients = new Set<Client>();
  /** What others were asked, by the number of the request. */
  readonly #asked = new Map<number, (value: number) => void>();
  #lastRequest = 0;
  readonly #ready = new Set<Client>();
  #ringFds: number[] = [];
  #listener: Listener<Client | undefined> | undefined;
  #connections = 0;
  #questions = 0;
  #forwarded = 0;

  constructor(thread: number, threads: number) {
    this.#thread = thread;
    this.#threads = threads;
    void this.#hear();
  }

  get ringFd(): number {
    return this.#io.ringFd;
  }

  serve(port: number, ringFds: number[]): number {
    this.#ringFds = ringFds;
    this.#listener = listen<Client | undefined>({
      port,
      reusePort: true,
      allowHalfOpen: true,
      socket: {
        open: (socket) => {
          this.#connections++;
          socket.data = new Client(socket, this);
          this.#clients.add(socket.data);
        },
        data: (socket, data) => socket.data!.received(data),
        drain: (socket) => socket.data!.drained(),
        end: (socket) => socket.data!.ended(),
        error() {},
        close: (socket) => void this.#clients.delete(socket.data!),
      },
    });
    return this.#listener.port!;
  }

  /** Add one to a counter, wherever it is. */
  ask(counter: number, answered: (value: number) => void): void {
    this.#questions++;
    const owner = counter % this.#threads;
    if (owner === this.#thread) return answered(this.#add(counter));
    this.#forwarded++;
    if (this.#asked.size === REQUESTS_MAX) {
      // As many as can be told apart: this one waits for its turn.
      setImmediate(() => this.ask(counter, answered));
      return;
    }
    do this.#lastRequest = (this.#lastRequest + 1) % REQUESTS_MAX;
    while (this.#asked.has(this.#lastRequest));
    this.#asked.set(this.#lastRequest, answered);
    void this.#send(owner, counter, tagOf(this.#thread, this.#lastRequest));
  }

  #add(counter: number): number {
    const value = (this.#counters.get(counter) ?? 0) + 1;
    this.#counters.set(counter, value);
    return value;
  }

  async #send(to: number, value: number, tag: number): Promise<void> {
    for (;;) {
      try {
        return await this.#io.message(this.#ringFds[to], value, tag);
      } catch (error) {
        // It has more than it can take: when it has worked some off, it takes this one.
        if ((error as NodeJS.ErrnoException).code !== 'EOVERFLOW') throw error;
        await this.#io.sleep(1);
      }
    }
  }

  async #hear(): Promise<void> {
    for await (const { value, tag } of this.#messages) {
      if (tag < ANSWER) {
        void this.#send(threadOf(tag), this.#add(value), tag + ANSWER);
        continue;
      }
      const request = requestOf(tag);
      const answered = this.#asked.get(request)!;
      this.#asked.delete(request);
      answered(value);
    }
  }

  /** When all answers are in that have come so far. */
  sendLater(client: Client): void {
    if (this.#ready.size === 0) setImmediate(() => this.#sendReady());
    this.#ready.add(client);
  }

  #sendReady(): void {
    const ready = [...this.#ready];
    this.#ready.clear();
    for (const client of ready) client.send();
  }

  /** Accept no more, and let go of everybody who has got all answers. */
  async finish(): Promise<string> {
    this.#listener!.stop();
    for (const client of this.#clients) client.ended();
    while ([...this.#clients].some((client) => !client.isServed)) await this.#io.sleep(1);
    const counts = [`${this.#connections} connections`, `${this.#questions} questions`, `${this.#forwarded} to others`];
    return `thread ${this.#thread}: ${counts.join(', ')}`;
  }

  async end(): Promise<void> {
    await this.#messages.return!();
    // Connections whose clients do not end them are cut.
    await this.#io.close();
  }
}

function thread(): void {
  const { thread, threads } = workerData as { thread: number; threads: number };
  const counters = new CounterThread(thread, threads);
  const port = parentPort!;
  port.on('message', (order: Order) => {
    if (order.step === 'serve') port.postMessage(counters.serve(order.port, order.ringFds));
    else if (order.step === 'finish') void counters.finish().then((line) => port.postMessage(line));
    else void counters.end().then(() => port.close());
  });
  port.postMessage(counters.ringFd);
}

if (isMainThread) await main();
else thread();
