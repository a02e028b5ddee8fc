/**
 * The types of `iouring/http`: those of `node:http`, as the version of @types/node that is installed has them. The
 * default export is a namespace as well, so that a type can be named by it: `http.IncomingMessage`.
 */
export * from 'node:http';
export * as default from 'node:http';
