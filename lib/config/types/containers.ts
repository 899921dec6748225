/**
 * A route that labels of containers ask for: requests for one host and path. It is added to the settings of the file as if
 * it were written there.
 */
export interface ContainerRoute {
  /** `www.mango.com/api`, `www.mango.com`, `/api`; `*` for all requests. */
  readonly route: string;
  /** null: every host. */
  readonly host: string | null;
  /** null: every path. */
  readonly path: string | null;
  /** The container whose labels count, where containers of a route differ. */
  readonly by: string;
  readonly terms: RouteTerms;
}

/** What labels say of a route; null: what the settings around it say. */
export interface RouteTerms {
  /** The path of health checks. */
  readonly check: string | null;
  readonly checkInterval: string | null;
  readonly algorithm: string | null;
  /** The name of the cookie that binds clients. */
  readonly sticky: string | null;
  /** Is the path removed before a request is sent on? */
  readonly stripPrefix: boolean;
  /** Do servers get the Host that the client asked for? */
  readonly preserveHost: boolean;
  /** Are connections to the servers encrypted? */
  readonly isSecure: boolean;
  /** Is the certificate of the servers verified? */
  readonly isVerified: boolean;
}

/** A route of containers that could not be added, and why. */
export interface RefusedRoute {
  readonly route: string;
  /** The container that asked for it. */
  readonly by: string;
  readonly reason: string;
}
