import { open, type FileHandle } from '../../fs/index.ts';
import type { HttpRequest } from './http-request.ts';

/** A request and its answer, for the log. */
export interface Access {
  readonly address: string | undefined;
  /** Undefined for something that was no request. */
  readonly request: HttpRequest | undefined;
  readonly status: number;
  /** Bytes of the body that were sent. */
  readonly bytes: number;
  readonly milliseconds: number;
}

/** Lines are put together for so long, or until they are so many characters. */
const FLUSH_MS = 100;
const FLUSH_LENGTH = 64 << 10;
/** Where they cannot be written as fast as they come, those beyond that are lost, and counted. */
const WAITING_MAX = 8 << 20;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** A line for each request: in the common log format, or as JSON; to a file, or to stdout. */
export class AccessLog {
  readonly #path: string | undefined;
  readonly #isJson: boolean;
  readonly #around: (write: () => void) => void;
  #file: FileHandle | undefined;
  #lines = '';
  #lost = 0;
  #isBroken = false;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isWriting = false;
  #isReopening = false;
  #second = 0;
  #date = '';

  private constructor(path: string | undefined, isJson: boolean, around: (write: () => void) => void) {
    this.#path = path;
    this.#isJson = isJson;
    this.#around = around;
  }

  /**
   * @param path of the file, which lines are appended to; undefined: stdout
   * @param around is given what writes to stdout, and may make room on the terminal first
   */
  static async to(path: string | undefined, isJson: boolean, around: (write: () => void) => void): Promise<AccessLog> {
    const log = new AccessLog(path, isJson, around);
    if (path !== undefined) log.#file = await open(path, 'a');
    // Nobody reads any more: that is no reason not to serve.
    else process.stdout.on('error', () => (log.#isBroken = true));
    return log;
  }

  add(access: Access): void {
    if (this.#isBroken) return;
    if (this.#lines.length > WAITING_MAX) {
      this.#lost++;
      return;
    }
    this.#lines += this.#isJson ? jsonLine(access) : this.#commonLine(access);
    if (this.#lines.length >= FLUSH_LENGTH) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** Go on in a new file of the same name: the former has been renamed. */
  reopen(): void {
    this.#isReopening = this.#path !== undefined;
    this.#flush();
  }

  async close(): Promise<void> {
    this.#flush();
    await this.#writing;
    this.#flush();
    await this.#writing;
    await this.#file?.close();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isWriting) return;
    if (this.#file === undefined) {
      const lines = this.#take();
      if (lines !== '') this.#around(() => process.stdout.write(lines));
      return;
    }
    if (this.#lines === '' && !this.#isReopening) return;
    this.#isWriting = true;
    this.#writing = this.#append().finally(() => {
      this.#isWriting = false;
    });
  }

  async #append(): Promise<void> {
    do {
      try {
        const lines = this.#take();
        if (lines !== '') await this.#file!.appendFile(lines);
        if (this.#isReopening) {
          this.#isReopening = false;
          const former = this.#file!;
          this.#file = await open(this.#path!, 'a');
          await former.close();
        }
      } catch (error) {
        this.#say(`iouring serve: the access log: ${(error as Error).message}\n`);
      }
    } while (this.#lines.length >= FLUSH_LENGTH || this.#isReopening);
    if (this.#lines !== '') this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS);
  }

  #take(): string {
    const lines = this.#lines;
    this.#lines = '';
    if (this.#lost > 0) this.#say(`iouring serve: the access log is too slow: ${this.#lost} lines are lost\n`);
    this.#lost = 0;
    return lines;
  }

  #say(text: string): void {
    this.#around(() => process.stderr.write(text));
  }

  /** `host ident user [time] "request" status bytes`, and - for what is not known. */
  #commonLine({ address, request, status, bytes }: Access): string {
    const line = request === undefined ? '-' : `${request.method} ${escaped(request.target)} ${request.version}`;
    return `${address ?? '-'} - - [${this.#now()}] "${line}" ${status} ${bytes}\n`;
  }

  #now(): string {
    const now = new Date();
    const second = Math.floor(now.getTime() / 1000);
    if (second === this.#second) return this.#date;
    this.#second = second;
    const two = (number: number): string => String(Math.floor(number)).padStart(2, '0');
    const offset = -now.getTimezoneOffset();
    const zone = `${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}${two(Math.abs(offset) % 60)}`;
    const time = `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
    this.#date = `${two(now.getDate())}/${MONTHS[now.getMonth()]}/${now.getFullYear()}:${time} ${zone}`;
    return this.#date;
  }
}

function jsonLine({ address, request, status, bytes, milliseconds }: Access): string {
  const fields = request?.fields;
  return `${
    JSON.stringify({
      time: new Date().toISOString(),
      address,
      method: request?.method,
      target: request?.target,
      version: request?.version,
      status,
      bytes,
      ms: Math.round(milliseconds * 1000) / 1000,
      referer: fields?.['referer'],
      userAgent: fields?.['user-agent'],
    })
  }\n`;
}

/** So that it ends where its quotation mark is. */
function escaped(text: string): string {
  return /["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text;
}
