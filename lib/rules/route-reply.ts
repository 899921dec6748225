import type { RouteAction } from '../config/types.js';
import type { HeadEdit } from '../http/head-edit.js';
import { utf8Bytes } from '../http/percent.js';
import type { RuleContext } from './context.js';
import { Text } from './text.js';

/** The answer of a route that does not forward: a redirect, or one that is written in the configuration. */
export class RouteReply {
  readonly status: number;
  /** Bytes: UTF-8 as latin1. */
  readonly body: string;
  readonly #location: Location | null;
  readonly #fields: readonly { readonly key: string; readonly name: string; readonly value: Text }[];

  constructor(action: Exclude<RouteAction, { kind: 'forward' }>) {
    this.status = action.status;
    this.body = action.kind === 'respond' ? utf8Bytes(action.body) : '';
    this.#location = action.kind === 'redirect' ? new Location(action.to) : null;
    const fields = action.kind === 'respond' ? action.headers : [];
    this.#fields = fields.map(({ name, value }) => ({
      key: name.toLowerCase(),
      name,
      value: new Text(value, 'field'),
    }));
  }

  /** Notes the fields of the answer; the route's own rules for responses come after it. */
  edit(context: RuleContext, edit: HeadEdit): void {
    if (this.#location !== null) edit.set('location', 'Location', this.#location.render(context));
    for (const { key, name, value } of this.#fields) edit.set(key, name, value.render(context));
  }
}

/**
 * Where a redirect leads. The query of the request goes along unless the template says something of a query itself: a
 * question mark with nothing behind it drops it.
 */
class Location {
  readonly #to: Text;
  readonly #keepsQuery: boolean;
  readonly #leavesHost: boolean;

  constructor(to: Extract<RouteAction, { kind: 'redirect' }>['to']) {
    this.#to = new Text(to, 'location');
    this.#keepsQuery = !to.some(
      (part) =>
        (part.kind === 'text' && /[?#]/.test(part.text)) ||
        (part.kind === 'variable' && part.name === 'query'),
    );
    const [first] = to;
    this.#leavesHost = first?.kind === 'text' && !/^\/(?!\/)/.test(first.text);
  }

  render(context: RuleContext): string {
    const to = this.#to.render(context);
    const { query } = context.view;
    const url = this.#keepsQuery && query !== '' ? `${to}?${query}` : to.replace(/\?$/, '');
    // `//x` is another host. Only the configuration says when a redirect leads to one.
    return this.#leavesHost ? url : url.replace(/^\/{2,}/, '/');
  }
}
