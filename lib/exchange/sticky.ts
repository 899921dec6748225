import type { HeadEdit } from '../http/head-edit.js';
import type { Server } from '../servers/server.js';
import type { RequestContext } from './context.js';

/** What keeps clients with their server. */
export interface Sticky {
  /** The server this client is to have, none of `tried`; null when it is bound to none that can serve it. */
  serverFor(context: RequestContext, tried: readonly Server[], repeatable: boolean): Server | null;
  /** Tells the client which server answered, in its final response, if it does not know. */
  mark(context: RequestContext, server: Server, edit: HeadEdit): void;
}
