import { isEager } from '../../native/eager.ts';
import { CHANGING, Load } from '../transport/load.ts';

/**
 * When the ring carries the datagrams of a socket, and when Node does. Many that are received in one turn of the event
 * loop are one system call with the ring, and as many with Node, and so are the answers to them; to send without
 * receiving costs about the same both ways.
 */
export const worth = {
  ...CHANGING,
  // One socket has the messages that many connections have.
  patience: 16,
  longest: 1_048_576,
  /**
   * Messages that a socket receives between two looks at it. With 0 every socket is on the ring from its first datagram
   * on, whether that pays or not: the environment variable IOURING_EAGER asks for it.
   */
  messages: isEager ? 0 : 32,
  /** Node takes 32 of a socket in a turn at most. */
  pays: 20,
  costs: 16,
};

/** The messages that all UDP sockets receive. */
export const load = new Load(worth);
