/** A client of a database with so many requests under way: `--driver ioredis` or `pg`, `--port`, `--in-flight`. */
import { Measurement, option } from './measurement.ts';

const port = Number(option('--port'));
const inFlight = Number(option('--in-flight'));

const DRIVERS: Record<string, () => Promise<{ ask: () => Promise<unknown>; end: () => unknown }>> = {
  async ioredis() {
    const { Redis } = await import('ioredis');
    const redis = new Redis({ host: '127.0.0.1', port });
    await redis.set('key', 'value');
    return { ask: () => redis.get('key'), end: () => redis.disconnect() };
  },
  /** A client has one query under way: so many clients. */
  async pg() {
    const { default: pg } = await import('pg');
    const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres', max: inFlight });
    return {
      ask: () => pool.query({ name: 'one', text: 'SELECT $1::int AS number', values: [1] }),
      end: () => pool.end(),
    };
  },
};

/** Milliseconds until connections are there and JIT compilers are done. */
const WARMUP_MS = 2000;

const { ask, end } = await DRIVERS[option('--driver')]();
const askWhile = async (goesOn: () => boolean): Promise<void> => {
  while (goesOn()) await ask();
};
const all = (goesOn: () => boolean): Promise<void>[] => Array.from({ length: inFlight }, () => askWhile(goesOn));
const start = performance.now();
await Promise.all(all(() => performance.now() - start < WARMUP_MS));
const measurement = new Measurement();
let ops = 0;
await Promise.race(all(() => measurement.proceeds(ops++)));
await end();
process.exit();
