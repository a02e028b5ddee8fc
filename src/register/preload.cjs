// What require('iouring/register') and --require find, and what `iouring run` has loaded by --require: that lets a
// CommonJS program begin as it does alone. After --import it begins later on Node 20, and on 22 before 22.18, and
// messages that its parent sends meanwhile are lost.
const { isMainThread, parentPort } = require('node:worker_threads');

/** @param why this thread has Node's own modules */
function leave(why) {
  require('node:util').debuglog('iouring')('%s: all modules are Node’s', why);
}

// Workers have a parent; the thread in which the hooks of module.register() run has none, has nothing that could be
// replaced, and cannot require ES modules in some versions. NODE_OPTIONS comes to processes of other versions as well,
// and to those with flags of their own.
if (!isMainThread && parentPort === null) leave('a thread of hooks');
else if (!process.features.require_module) leave(`this Node (${process.version}) cannot require ES modules`);
else module.exports = require('./index.js');
