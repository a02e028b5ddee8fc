/**
 * All that is Node's as it is, and why. Everything else of the module goes through the ring; what Node adds to it in
 * versions to come is passed through as well until it stands elsewhere.
 */
export const PASSED_THROUGH: Readonly<Record<string, string>> = {
  BlockList: 'a list, no socket',
  BoundSocket: 'bound, and nothing more: a Server or a Socket takes it over',
  SocketAddress: 'an address, no socket',
  _createServerHandle: 'Node’s own',
  _normalizeArgs: 'Node’s own',
  _setSimultaneousAccepts: 'of Windows',
  _TransferredBoundSocket: 'Node’s own',
  getDefaultAutoSelectFamily: 'a setting of Node’s connect, which is at work here too',
  getDefaultAutoSelectFamilyAttemptTimeout: 'a setting of Node’s connect, which is at work here too',
  isIP: 'a question about text',
  isIPv4: 'a question about text',
  isIPv6: 'a question about text',
  setDefaultAutoSelectFamily: 'a setting of Node’s connect, which is at work here too',
  setDefaultAutoSelectFamilyAttemptTimeout: 'a setting of Node’s connect, which is at work here too',
};

/** The same for the methods and properties of a Socket: Node's JavaScript, over those of ours. */
export const PASSED_THROUGH_OF_SOCKETS: Readonly<Record<string, string>> = {
  _connecting: 'the same as connecting',
  _onTimeout: 'Node’s timer, which every message received or sent sets anew',
  _reset: 'sets a mark and destroys',
  _unrefTimer: 'Node’s timer',
  address: 'asks _getsockname',
  bytesWritten: 'asks _bytesDispatched, and adds what the stream still has',
  destroySoon: 'Node’s stream',
  end: 'Node’s stream',
  localAddress: 'asks _getsockname',
  localFamily: 'asks _getsockname',
  localPort: 'asks _getsockname',
  readyState: 'Node’s stream',
  remoteAddress: 'asks _getpeername',
  remoteFamily: 'asks _getpeername',
  remotePort: 'asks _getpeername',
  setTimeout: 'Node’s timer',
};

/** The same for a Server. */
export const PASSED_THROUGH_OF_SERVERS: Readonly<Record<string, string>> = {
  _emitCloseIfDrained: 'counts connections',
  _setupWorker: 'of a cluster, or of child processes',
  address: 'asks the handle, which is Node’s',
  close: 'closes the handle, whose closing is ours',
  getConnections: 'counts connections',
  listen: 'arguments, lookups and clusters: ends in _listen2',
  listening: 'whether there is a handle',
  ref: 'asks the handle, whose answer is ours',
  unref: 'asks the handle, whose answer is ours',
};
