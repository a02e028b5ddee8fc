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
    return { ask: () => pool.query({ name: 'one', text: 'SELECT $1::int AS number', values: [1] }), end: () => pool.end() };
  },
};

const { ask, end } = await DRIVERS[option('--driver')]();
const measurement = new Measurement();
let ops = 0;
const work = async (): Promise<void> => {
  while (measurement.proceeds(ops)) {
    await ask();
    ops++;
  }
};
await Promise.race(Array.from({ length: inFlight }, work));
await end();
process.exit();
