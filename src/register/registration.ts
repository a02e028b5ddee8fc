import type { ChannelListener } from 'node:diagnostics_channel';
import { syncBuiltinESMExports } from 'node:module';
import { channel } from '../native/node-hooks.ts';
import { debuglog } from '../native/node-util.ts';
import { imitate } from '../native/imitate.ts';
// For the modules behind the replacements, which may be loaded in any of the program's contexts.
// oxlint-disable-next-line import/no-unassigned-import
import '../native/nobody.ts';
import type { FallbackMessage } from '../reactor/available-reactor.ts';
import { isFinal, KernelAge, obstacle } from './obstacle.ts';
import { chosenParts } from './parts.ts';
import { isDefault, misfitOf, REPLACEMENTS, wordFor, type Call, type Replacement } from './replacements.ts';
import type { Loaders, SideName, Sides } from './sides.ts';

/** Why a row is Node's when IOURING is not set. */
export const NOT_DEFAULT = 'not on as long as IOURING is not set';

const debug = debuglog('iouring');
const fallbacks = channel('iouring:fallback');

/** The outcome of a row of the table. */
export interface Outcome {
  /** The part that the row is for, as IOURING names it, or `sockets`. */
  readonly word: string;
  readonly name: string;
  /** Why it is Node's; undefined if it is replaced. */
  readonly left: string | undefined;
}

/** A function that stands in place of Node's, which may have several names. */
interface StandIn {
  readonly original: Call;
  readonly ours: Call;
  isOn: boolean;
}

interface Replaced {
  readonly row: Replacement;
  readonly standIn: StandIn;
}

/** The replacements of this thread. */
export class Registration {
  readonly #replaced: Replaced[] = [];
  readonly #left = new Map<Replacement, string>();
  readonly #unneeded = new Set<Replacement>();
  readonly #chosen = chosenParts(REPLACEMENTS.flatMap(({ parts }) => parts));
  readonly #loaders: Loaders;
  /** The sides behind the replacements that were needed so far. */
  readonly sides: { [S in SideName]?: Sides[S] } = {};
  /** Why the rest of what was needed could not be loaded. */
  readonly unloadable: { [S in SideName]?: string } = {};
  #notice: ChannelListener | undefined;

  /** @param loaders of what is behind the replacements: each is called when the first of its rows is */
  constructor(loaders: Loaders) {
    this.#loaders = loaders;
    const wanted = REPLACEMENTS.filter((row) => this.#isChosen(row));
    const problem = wanted.length > 0 ? obstacle(loaders.kernel) : undefined;
    const age = new KernelAge(loaders.kernel);
    const refused = this.#refuse(wanted, (row) => problem ?? age.refusalOf(row.side));
    for (const row of wanted) if (!refused.has(row)) this.#put(row);
    if (this.#replaced.length > 0) {
      this.#loadFirst();
      this.#heedFallbacks();
      syncBuiltinESMExports();
    }
    else if (refused.size > 0) return;
    debug('replaced: %s', this.#replaced.map(({ row }) => `${wordFor(row)}: ${row.name}`).join(', ') || 'nothing');
  }

  #isChosen(row: Replacement): boolean {
    const chosen = this.#chosen;
    const isChosen = chosen === undefined ? isDefault(row) : row.parts.some((part) => chosen.has(part));
    if (!isChosen) this.#left.set(row, chosen === undefined ? NOT_DEFAULT : `IOURING does not name ${wordFor(row)}`);
    return isChosen;
  }

  /** Leave Node's what can have no ring here, and say so once. */
  #refuse(
    wanted: readonly Replacement[],
    problemOf: (row: Replacement) => Error | undefined,
  ): ReadonlySet<Replacement> {
    const refused = new Map<Replacement, Error>();
    for (const row of wanted) {
      const problem = problemOf(row);
      if (problem === undefined) continue;
      this.#left.set(row, problem.message);
      refused.set(row, problem);
    }
    const [error] = refused.values();
    if (error !== undefined) {
      debug('%s: %s Node’s', error.message, refused.size === wanted.length ? 'all modules are' : 'these are');
      const message: FallbackMessage = { module: 'iouring/register', error };
      fallbacks.publish(message);
    }
    return new Set(refused.keys());
  }

  #put(row: Replacement): void {
    if (row.isUnneeded?.()) {
      this.#unneeded.add(row);
      return;
    }
    const misfit = misfitOf(row) ?? forbidden(row);
    if (misfit !== undefined) {
      this.#left.set(row, misfit);
      debug('%s is left alone: %s', row.name, misfit);
      return;
    }
    const owner = row.owner();
    const original = (owner as Record<string, Call>)[row.key];
    const standIn = this.#standInFor(original, row);
    const { ours: value } = standIn;
    Object.defineProperty(owner, row.key, { ...Object.getOwnPropertyDescriptor(owner, row.key), value });
    this.#replaced.push({ row, standIn });
  }

  /** A function that Node has under several names stays one. */
  #standInFor(original: Call, { parts: [part], side, replace }: Replacement): StandIn {
    const twin = this.#replaced.find(({ row, standIn }) => row.parts[0] === part && standIn.original === original);
    if (twin !== undefined) return twin.standIn;
    const make = replace as (original: Call, ring: () => Sides[SideName] | undefined) => Call;
    const ours = make(original, () => (standIn.isOn ? this.#side(side) : undefined));
    const standIn: StandIn = { original, ours, isOn: true };
    imitate(ours, original);
    return standIn;
  }

  /**
   * The first server or socket would load what stands behind it: async_hooks would tell the program of promises that it
   * did not make. What serves files takes much longer to load, and the first file does it.
   */
  #loadFirst(): void {
    for (const name of ['sockets', 'datagrams'] as const) {
      if (this.#replaced.some(({ row }) => row.side === name)) this.#side(name);
    }
  }

  /** The side behind a replacement, if it can be loaded here and now. */
  #side<S extends SideName>(name: S): Sides[S] | undefined {
    const known = this.sides[name] as Sides[S] | undefined;
    if (known !== undefined) return known;
    let side: Sides[S];
    try {
      side = this.#loaders[name]() as Sides[S];
    } catch (error) {
      // The same modules are being imported at this moment, or there are no descriptors left: Node does it, and the
      // next call tries again.
      this.unloadable[name] = (error as Error).message.split('\n')[0];
      debug('not loaded: %s', this.unloadable[name]);
      return undefined;
    }
    if ('isBuiltAsNode' in side && !side.isBuiltAsNode()) {
      this.#giveBack((row) => row.side === name, 'sockets of this runtime are not built as Node’s');
      return undefined;
    }
    Object.assign(this.sides, { [name]: side });
    if ('nameNodesClass' in side) side.nameNodesClass(true);
    if ('loadRingBy' in side && side.loadRingBy(() => this.#side('ring'))) this.#side('ring');
    return side;
  }

  /** Only the first that wants a ring finds out whether there can be one: if not, Node has its functions back. */
  #heedFallbacks(): void {
    this.#notice = (message) => {
      const { module, error } = message as FallbackMessage;
      if (!isFinal(error)) return;
      debug('%s: %s is Node’s', error.message, module);
      this.#giveBack((row) => (row.side === 'files') === (module === 'iouring/fs'), error.message);
    };
    fallbacks.subscribe(this.#notice);
  }

  /** Give Node back what is of these rows. */
  #giveBack(isOf: (row: Replacement) => boolean, why: string): void {
    // From the last to the first: of two on one function, the later holds the earlier.
    for (const replaced of [...this.#replaced].reverse()) {
      const { row, standIn } = replaced;
      if (!isOf(row)) continue;
      standIn.isOn = false;
      const owner = row.owner();
      const descriptor = Object.getOwnPropertyDescriptor(owner, row.key);
      // Somebody may have put another in its place, which calls it: it does what Node's does then.
      if (descriptor?.value === standIn.ours) {
        Object.defineProperty(owner, row.key, { ...descriptor, value: standIn.original });
      }
      this.#left.set(row, why);
      this.#replaced.splice(this.#replaced.indexOf(replaced), 1);
    }
    syncBuiltinESMExports();
  }

  /** Give everything back. Sockets and files that are open stay as they are. */
  end(): void {
    if (this.#notice !== undefined) fallbacks.unsubscribe(this.#notice);
    this.#notice = undefined;
    this.#giveBack(() => true, 'unregister() was called');
    this.sides.sockets?.unregisterAll();
    this.sides.ring?.nameNodesClass(false);
  }

  /** The outcome of every row of the table, in its order. */
  get outcomes(): Outcome[] {
    const rows = REPLACEMENTS.filter((row) => !this.#unneeded.has(row));
    return rows.map((row) => ({ word: wordFor(row), name: row.name, left: this.#left.get(row) }));
  }
}

/**
 * Under the permission model Node asks in its native code whether a program may use the network; the ring has no such
 * question.
 */
function forbidden({ side }: Replacement): string | undefined {
  const { permission } = process as { permission?: { has(scope: string): boolean } };
  if (permission === undefined) return undefined;
  if (side === 'files') return 'the permission model is on: Node knows which files may be touched';
  return permission.has('net') ? undefined : 'the permission model is on, and does not say that the network is allowed';
}
