/** For the layers on top, which do not look further down. */
export { Msghdr } from '../ring/structs/msghdr.ts';
export {
  readSocketAddress,
  SOCKADDR_MAX,
  writeSocketAddress,
  type SocketAddress,
  type SocketAddressLike,
} from '../ring/structs/socket-address.ts';
