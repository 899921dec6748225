import type { RouteAction } from '../config/types.js';
import type { HeadEdit } from '../http/head-edit.js';
import type { RuleContext } from './context.js';
import { fieldText, Redirect, type Rendering } from './location.js';

/** The local reply of a route that does not forward: a redirect or a fixed response. */
export class RouteReply {
  readonly status: number;
  /** Bytes as latin1. */
  readonly body: string;
  readonly #location: Redirect | null;
  readonly #fields: readonly { readonly key: string; readonly name: string; readonly value: Rendering }[];

  constructor(action: Exclude<RouteAction, { kind: 'forward' }>) {
    this.status = action.status;
    this.body = action.kind === 'respond' ? action.body : '';
    this.#location = action.kind === 'redirect' ? new Redirect(action.to) : null;
    const fields = action.kind === 'respond' ? action.headers : [];
    this.#fields = fields.map(({ name, value }) => ({
      key: name.toLowerCase(),
      name,
      value: fieldText(name.toLowerCase(), value),
    }));
  }

  /** Records the fields of the reply; the route's own rules for responses are applied after it. */
  edit(context: RuleContext, edit: HeadEdit): void {
    if (this.#location !== null) edit.set('location', 'Location', this.#location.render(context));
    for (const { key, name, value } of this.#fields) edit.set(key, name, value.render(context));
  }
}
