/** For the layers on top, which do not look further down. */
export { Msghdr } from '../ring/msghdr.ts';
export {
  readSocketAddress,
  SOCKADDR_MAX,
  writeSocketAddress,
  type SocketAddress,
  type SocketAddressLike,
} from '../ring/socket-address.ts';
