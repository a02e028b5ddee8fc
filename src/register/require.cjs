// What require('iouring/register') finds in a version of Node that cannot require ES modules.
throw Object.assign(
  new Error(
    `iouring/register is an ES module, which this Node (${process.version}) cannot require: take --import in place of --require, ` +
      'or Node 20.19, 22.12 or later',
  ),
  { code: 'ERR_IOURING_UNSUPPORTED' },
);
