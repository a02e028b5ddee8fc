/** Every name of `iouring/http`. */
import { module as http } from './module.ts';

type Http = typeof http;
/** A name that not every version of Node has: undefined where it is missing, and in types that are older. */
type OfNode<K extends string> = K extends keyof Http ? Http[K] : undefined;
const ofNode = <K extends string>(name: K): OfNode<K> =>
  (http as unknown as Record<string, unknown>)[name] as OfNode<K>;

export default http;
export const {
  Agent,
  ClientRequest,
  IncomingMessage,
  METHODS,
  OutgoingMessage,
  STATUS_CODES,
  Server,
  ServerResponse,
  createServer,
  get,
  globalAgent,
  maxHeaderSize,
  request,
  setMaxIdleHTTPParsers,
  validateHeaderName,
  validateHeaderValue,
} = http;
export type Agent = import('node:http').Agent;
export type ClientRequest = import('node:http').ClientRequest;
export type IncomingMessage = import('node:http').IncomingMessage;
export type OutgoingMessage = import('node:http').OutgoingMessage;
export type Server = import('node:http').Server;
export type ServerResponse = import('node:http').ServerResponse;
/** Node's own, as far as it has them. */
export const CloseEvent: OfNode<'CloseEvent'> = ofNode('CloseEvent');
export const MessageEvent: OfNode<'MessageEvent'> = ofNode('MessageEvent');
export const WebSocket: OfNode<'WebSocket'> = ofNode('WebSocket');
export const _connectionListener: unknown = ofNode('_connectionListener');
export const isValidHeaderName: unknown = ofNode('isValidHeaderName');
export const isValidHeaderValue: unknown = ofNode('isValidHeaderValue');
export const setGlobalProxyFromEnv: unknown = ofNode('setGlobalProxyFromEnv');
export const websocketMask: unknown = ofNode('websocketMask');
export const websocketUnmask: unknown = ofNode('websocketUnmask');
export type {
  AgentOptions,
  ClientRequestArgs,
  IncomingHttpHeaders,
  OutgoingHttpHeader,
  OutgoingHttpHeaders,
  RequestListener,
  RequestOptions,
  ServerOptions,
} from 'node:http';
