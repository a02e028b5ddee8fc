// What require('iouring/register') finds in a version of Node that cannot require ES modules, and where resolvers and
// bundlers do not know the condition `module-sync`, as Yarn's Plug'n'Play and esbuild.
if (!process.features.require_module) {
  throw Object.assign(
    new Error(
      `iouring/register is an ES module, which this Node (${process.version}) cannot require: take --import in place of --require, ` +
        'or Node 20.19, 22.12 or later',
    ),
    { code: 'ERR_IOURING_UNSUPPORTED' },
  );
}
module.exports = require('./eager.js');
