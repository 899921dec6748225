/** With whom a node shares what clients have used up. */
export interface SharedConfig {
  /** redis:// or rediss:// URLs: one server, some nodes of a cluster, or sentinels. They may hold credentials. */
  readonly redis: readonly string[];
  readonly kind: 'single' | 'sentinel' | 'cluster';
  /** What sentinels call the group of servers; null: there are none. */
  readonly sentinel: string | null;
  /** What the names of all keys begin with. */
  readonly prefix: string;
  /** What this node is called; null: by the name of the machine. */
  readonly node: string | null;
  /** Its share is at most the limit divided by this. */
  readonly nodes: number;
  /** In place of those of the URLs; null: those of the URLs, if any. */
  readonly user: string | null;
  readonly password: string | null;
  /** A PEM file of certificate authorities; absolute. null: those of the system. */
  readonly ca: string | null;
  /** What that file held when the settings were read. */
  readonly pem: string | null;
  /** For one answer, in ms. */
  readonly timeout: number;
}
