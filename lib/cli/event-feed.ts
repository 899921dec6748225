import { instanceName } from '../base/instance-name.js';
import type { Config } from '../config/types.js';
import type { Balancer } from '../control/balancer-contract.js';
import { Webhook } from '../observe/webhook.js';

/** Sends events to the webhook of the current configuration, if it has one. */
export class EventFeed {
  readonly #agent: string;
  readonly #warning: (message: string) => void;
  #webhook: Webhook | null = null;
  #wanted = '';
  #unsubscribe: () => void = () => {};
  /** Including webhooks that are closed. */
  #dropped = 0;

  constructor(version: string, warning: (message: string) => void) {
    this.#agent = `lb/${version}`;
    this.#warning = warning;
  }

  get dropped(): number {
    return this.#dropped + (this.#webhook?.dropped ?? 0);
  }

  attach(balancer: Balancer): void {
    this.#unsubscribe = balancer.subscribe((event) => this.#webhook?.tell(event));
  }

  applyConfig({ events, instance: name }: Config): void {
    const instance = instanceName(name);
    const wanted = JSON.stringify([events, instance]);
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    void this.#end();
    if (events !== null)
      this.#webhook = new Webhook({ config: events, agent: this.#agent, instance, warning: this.#warning });
  }

  /** Takes a second at most. */
  async close(): Promise<void> {
    this.#unsubscribe();
    await this.#end();
  }

  async #end(): Promise<void> {
    const webhook = this.#webhook;
    if (webhook === null) return;
    this.#webhook = null;
    await webhook.close();
    this.#dropped += webhook.dropped;
  }
}
