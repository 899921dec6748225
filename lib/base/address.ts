/** Where a listener binds or a server is reached. `text` is how a person writes it, and how logs show it. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly text: string }
  | { readonly kind: 'unix'; readonly path: string; readonly text: string };
