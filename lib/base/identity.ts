/** By the settings, which never change: thousands of servers may share them, and are compared with one another. */
const written = new WeakMap<object, string>();

/** A text that is the same for equal plain data: configuration of one shape, whose keys stand in one order. */
export function identityOf(settings: object | null): string {
  if (settings === null) return 'null';
  let text = written.get(settings);
  if (text === undefined) {
    text = JSON.stringify(settings);
    written.set(settings, text);
  }
  return text;
}
