import type * as hooks from 'node:async_hooks';
import type * as channels from 'node:diagnostics_channel';
import { builtin } from './builtin.ts';

const ofHooks = builtin('node:async_hooks') as typeof hooks;
const ofChannels = builtin('node:diagnostics_channel') as typeof channels;

export const AsyncResource: typeof hooks.AsyncResource = ofHooks.AsyncResource;
export type AsyncResource = hooks.AsyncResource;
export const channel: typeof channels.channel = ofChannels.channel;
export const subscribe: typeof channels.subscribe = ofChannels.subscribe;
