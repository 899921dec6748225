import { PLACEHOLDER } from '../config/error-pages.js';
import { statusIn } from '../config/statuses.js';
import type { ErrorPageConfig } from '../config/types.js';
import { utf8Bytes } from '../http/percent.js';
import { reasonPhrase } from '../http/replies.js';
import { preferredType } from './negotiation.js';

/** What a page may say about a response. */
export interface ErrorFacts {
  readonly status: number;
  /** The word of the log; empty where a server has answered. */
  readonly reason: string;
  readonly requestId: string;
}

/** The page for one response. */
export interface ErrorPage {
  readonly contentType: string;
  /** Does the choice depend on Accept? */
  readonly varies: boolean;
  /** The file that it is read from; null: the settings have its text. */
  readonly file: string | null;
  /** The body, bytes as latin1. */
  render(facts: ErrorFacts): string;
}

/** The texts that stand for errors: of lb itself, and of servers. Made once for all routes that have the same. */
export class ErrorPages {
  static readonly #made = new WeakMap<readonly ErrorPageConfig[], ErrorPages>();
  readonly #configs: readonly ErrorPageConfig[];
  /** The pages to choose from, by status; those of servers' responses by the negative. */
  readonly #byStatus = new Map<number, readonly Page[]>();
  readonly #pages = new Map<ErrorPageConfig, readonly Page[]>();

  private constructor(configs: readonly ErrorPageConfig[]) {
    this.#configs = configs;
  }

  /** null: there are none. */
  static of(configs: readonly ErrorPageConfig[]): ErrorPages | null {
    if (configs.length === 0) return null;
    const known = ErrorPages.#made.get(configs) ?? new ErrorPages(configs);
    ErrorPages.#made.set(configs, known);
    return known;
  }

  /**
   * The page for a status and a client with these Accept fields; null when there is none. `ofServer`: a server has answered.
   * What it demands of clients with a 401 or 407 concerns the connection too, so these are left to it.
   */
  pageFor(status: number, ofServer: boolean, accept: readonly string[]): ErrorPage | null {
    if (status < 400 || (ofServer && (status === 401 || status === 407))) return null;
    const pages = this.#pagesOf(status, ofServer);
    return (
      pages[
        preferredType(
          accept,
          pages.map(({ contentType }) => contentType),
        )
      ] ?? null
    );
  }

  #pagesOf(status: number, ofServer: boolean): readonly Page[] {
    const key = ofServer ? -status : status;
    const known = this.#byStatus.get(key);
    if (known !== undefined) return known;
    const fitting = this.#configs.filter(
      ({ statuses, servers }) => statusIn(statuses, status) && (servers || !ofServer),
    );
    // The first page of each type: the others are never chosen.
    const first = fitting.filter(
      (page, index) => fitting.findIndex(({ contentType }) => contentType === page.contentType) === index,
    );
    const pages = first.map((page) => this.#pageOf(page, first.length > 1));
    this.#byStatus.set(key, pages);
    return pages;
  }

  #pageOf(config: ErrorPageConfig, varies: boolean): Page {
    const [alone = new Page(config, false), chosen = new Page(config, true)] = this.#pages.get(config) ?? [];
    this.#pages.set(config, [alone, chosen]);
    return varies ? chosen : alone;
  }
}

class Page implements ErrorPage {
  readonly contentType: string;
  readonly varies: boolean;
  readonly file: string | null;
  /** Texts, and between them the names of placeholders. */
  readonly #parts: readonly string[];
  readonly #escape: (text: string) => string;

  constructor({ contentType, body, file }: ErrorPageConfig, varies: boolean) {
    this.contentType = contentType;
    this.varies = varies;
    this.file = file;
    this.#parts = isText(contentType) ? body.split(PLACEHOLDER) : [body];
    this.#escape = escapeFor(contentType);
  }

  render({ status, reason, requestId }: ErrorFacts): string {
    const values: { readonly [name: string]: string } = {
      status: String(status),
      title: reasonPhrase(status),
      reason,
      request_id: requestId,
    };
    let out = '';
    for (const [index, part] of this.#parts.entries())
      out += index % 2 === 0 ? part : utf8Bytes(this.#escape(values[part] ?? ''));
    return out;
  }
}

/** May it have placeholders? Bytes of an image may look like one. */
function isText(contentType: string): boolean {
  return /^(?:text\/|application\/(?:[\w.-]+\+)?(?:json|xml)\b|image\/svg\+xml\b)/i.test(contentType);
}

/** A request id may come from a client, by way of a trusted proxy. */
function escapeFor(contentType: string): (text: string) => string {
  if (/\bjson\b/i.test(contentType)) return (text) => JSON.stringify(text).slice(1, -1);
  if (/\b(?:html|xml)\b/i.test(contentType))
    return (text) => text.replace(/[^\w .:-]/g, (character) => `&#${character.charCodeAt(0)};`);
  return (text) => text.replace(/[^ -~]/g, '');
}
