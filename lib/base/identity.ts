/**
 * Cached by the settings, which never change: thousands of servers may share them, and they are compared with one
 * another.
 */
const written = new WeakMap<object, string>();

/** The same text for equal plain data, if the keys have the same order: two settings are equal if their texts are. */
export function identityOf(settings: object | null): string {
  if (settings === null) return 'null';
  let text = written.get(settings);
  if (text === undefined) {
    text = JSON.stringify(settings);
    written.set(settings, text);
  }
  return text;
}
