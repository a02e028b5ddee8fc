import { chmodSync, chownSync, readFileSync } from 'node:fs';
import { Temporary } from '../../kernel/temporary.ts';
import { run } from '../../run.ts';
import { CERTIFICATE, KEY } from './certificate.ts';
import { freePort, Peer, programPath } from './peer.ts';

/** Another has taken the port meanwhile: so often another one is tried. */
const ATTEMPTS_MAX = 5;

/** Whom it runs as: it refuses to be root. */
function user(): { uid: number; gid: number } | undefined {
  if (process.getuid!() !== 0) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'));
  const found = lines.find(([name]) => name === 'postgres') ?? lines.find(([name]) => name === 'nobody');
  return found === undefined ? undefined : { uid: Number(found[2]), gid: Number(found[3]) };
}

/** A PostgreSQL server with a database of its own, on a port of its own, with TLS, and on a unix socket. */
export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  /** Where the unix socket is. */
  readonly folder: string;
  readonly #peer: Peer;
  readonly #temporary: Temporary;

  private constructor(peer: Peer, temporary: Temporary, port: number) {
    this.#peer = peer;
    this.#temporary = temporary;
    this.folder = temporary.path;
    this.port = port;
  }

  static async start(): Promise<PostgresServer> {
    const temporary = new Temporary();
    const as = user();
    const own = (path: string): void => as && chownSync(path, as.uid, as.gid);
    own(temporary.path);
    const key = temporary.file('key.pem', KEY);
    const certificate = temporary.file('certificate.pem', CERTIFICATE);
    chmodSync(key, 0o600);
    for (const path of [key, certificate]) own(path);
    const data = `${temporary.path}/data`;
    const init = ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C'];
    const { status, stderr } = await run(programPath('initdb')!, init, { ...as, cwd: temporary.path });
    if (status !== 0) throw new Error(stderr);
    for (let attempt = 1;; attempt++) {
      const port = await freePort();
      const settings = {
        listen_addresses: '127.0.0.1',
        port,
        unix_socket_directories: temporary.path,
        fsync: 'off',
        shared_buffers: '16MB',
        max_connections: 20,
        ssl: 'on',
        ssl_cert_file: certificate,
        ssl_key_file: key,
        autovacuum: 'off',
      };
      const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
      const peer = new Peer(programPath('postgres')!, ['-D', data, ...args], { ...as, cwd: temporary.path });
      try {
        await peer.line(/database system is ready to accept connections/);
        return new PostgresServer(peer, temporary, port);
      } catch (error) {
        if (attempt === ATTEMPTS_MAX || !peer.output.includes('Address already in use')) throw error;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // At once, and in order: it ends its own children.
    await this.#peer.end('SIGINT');
    this.#temporary[Symbol.dispose]();
  }
}
