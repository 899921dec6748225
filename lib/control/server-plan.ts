import type { GroupConfig, ServerConfig } from '../config/types.js';
import type { Server } from '../servers/server.js';
import type { ManagedServer } from './managed-server.js';

/** The entry of the new configuration that an existing server takes over. */
export interface Takeover {
  readonly config: ServerConfig;
  readonly group: GroupConfig;
}

/** The servers of a configuration that is not in force yet. Planning changes nothing about existing servers. */
export class ServerPlan {
  /** By key. */
  readonly members = new Map<string, ManagedServer>();
  readonly groups = new Map<GroupConfig, readonly ManagedServer[]>();
  readonly byName = new Map<string, ManagedServer[]>();
  /** Existing servers that continue unchanged, and those that continue under other terms. */
  readonly unchanged = new Map<ManagedServer, Takeover>();
  readonly changed = new Map<ManagedServer, Takeover>();
  readonly made = new Set<ManagedServer>();

  has(member: ManagedServer): boolean {
    return this.made.has(member) || this.unchanged.has(member) || this.changed.has(member);
  }

  /** The numbers of its servers by key. */
  *numbers(): Generator<readonly [key: string, number: number], void, void> {
    for (const [key, { number }] of this.members) yield [key, number];
  }

  of(group: GroupConfig): readonly Server[] {
    return (this.groups.get(group) ?? []).map(({ server }) => server);
  }

  /** Takes out the servers of these names; those that were made for it are discarded. */
  takeOut(names: ReadonlySet<string>): void {
    for (const name of names) this.byName.delete(name);
    for (const [key, member] of this.members) {
      if (!names.has(member.server.name)) continue;
      this.members.delete(key);
      this.unchanged.delete(member);
      this.changed.delete(member);
      if (this.made.delete(member)) discardServer(member);
    }
  }

  /** Gives up the plan. */
  discard(): void {
    for (const member of this.made) discardServer(member);
  }
}

/** Discards a server that was made for a plan and never used. */
function discardServer({ server, health }: ManagedServer): void {
  health.stop();
  server.pool.close();
}
