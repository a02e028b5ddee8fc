/** The types of `require('iouring/register')`. A Node that cannot require ES modules gets an error that says so. */
import type * as register from './index.js' with { 'resolution-mode': 'import' };

export type { Report, SocketCount } from './index.js' with { 'resolution-mode': 'import' };
export declare const report: typeof register.report;
export declare const unregister: typeof register.unregister;
