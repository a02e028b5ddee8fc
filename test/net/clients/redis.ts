import { Temporary } from '../../kernel/temporary.ts';
import { freePort, Peer, programPath } from './peer.ts';

/** Another has taken the port meanwhile: so often another one is tried. */
const ATTEMPTS_MAX = 5;

/** A redis-server that keeps nothing, on a port of its own and a unix socket. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly unix: string;
  readonly #peer: Peer;
  readonly #folder: Temporary;

  private constructor(peer: Peer, folder: Temporary, port: number, unix: string) {
    this.#peer = peer;
    this.#folder = folder;
    this.port = port;
    this.unix = unix;
  }

  static async start(): Promise<RedisServer> {
    const folder = new Temporary();
    const unix = `${folder.path}/socket`;
    for (let attempt = 1;; attempt++) {
      const port = await freePort();
      const settings = { port, bind: '127.0.0.1', unixsocket: unix, dir: folder.path, save: '', appendonly: 'no' };
      const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
      const peer = new Peer(programPath('redis-server')!, args);
      try {
        await peer.line(/Ready to accept connections/);
        return new RedisServer(peer, folder, port, unix);
      } catch (error) {
        if (attempt === ATTEMPTS_MAX || !peer.output.includes('already in use')) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#peer.end('SIGTERM');
    this.#folder[Symbol.dispose]();
  }
}
