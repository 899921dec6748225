import { equalsWord, FIELD, type FieldNames, fieldId, readsAs } from './fields.js';
import type { MessageHead } from './head.js';

/** Fields that only the proxy may write: the target host, the end of the message, what concerns one connection only. */
const GUARDED: ReadonlySet<number> = new Set([
  FIELD.host,
  FIELD.connection,
  FIELD.keepAlive,
  FIELD.proxyConnection,
  FIELD.te,
  FIELD.trailer,
  FIELD.transferEncoding,
  FIELD.upgrade,
  FIELD.contentLength,
  FIELD.expect,
  FIELD.maxForwards,
  FIELD.disguised,
]);

/** Fields that encoders write themselves, besides Content-Type, which is no field that a proxy acts on. */
const OWN: ReadonlySet<number> = new Set([
  FIELD.via,
  FIELD.cdnLoop,
  FIELD.date,
  FIELD.forwarded,
  FIELD.xForwardedFor,
  FIELD.xForwardedProto,
  FIELD.xForwardedHost,
  FIELD.xRequestId,
  FIELD.traceparent,
  FIELD.tracestate,
]);

/** Bytes that no field value has (RFC 9110, 5.5), and characters beyond a byte: written as latin1, U+010A becomes a LF. */
const NO_VALUE_BYTE = /[^\t\x20-\x7e\x80-\xff]/;
const NO_VALUE_BYTES = new RegExp(NO_VALUE_BYTE, 'g');
const NO_TARGET_BYTES = /[^\x21-\x7e\x80-\xff]|#/g;

interface Field {
  readonly name: string;
  readonly value: string;
}

/** What is done with the fields of one name. */
export class FieldEdit {
  readonly key: string;
  /** Are received fields kept? */
  #keeps = true;
  /** Replace the received values, one for each field; an empty value drops its field. */
  #values: readonly string[] | null = null;
  #rewrites: ((value: string) => string)[] | null = null;
  /** Sent where the first field stood, or at the end. */
  #set: Field | null = null;
  #appended: Field[] | null = null;
  #seen = 0;
  #placed = false;

  constructor(key: string) {
    this.key = key;
  }

  remove(): void {
    this.#keeps = false;
    this.#set = null;
    this.#appended = null;
  }

  set(name: string, value: string): void {
    this.remove();
    this.#set = { name, value };
  }

  append(name: string, value: string): void {
    this.#appended ??= [];
    this.#appended.push({ name, value });
  }

  rewrite(edit: (value: string) => string): void {
    if (this.#keeps) {
      this.#rewrites ??= [];
      this.#rewrites.push(edit);
    }
    const edited = ({ name, value }: Field): Field => ({ name, value: edit(value) });
    if (this.#set !== null) this.#set = edited(this.#set);
    if (this.#appended !== null) this.#appended = this.#appended.map(edited);
  }

  replaceValues(name: string, values: readonly string[], received: number): void {
    this.#values = values;
    for (const value of values.slice(received)) this.append(name, value);
  }

  /** Are all received fields removed? */
  get removes(): boolean {
    return !this.#keeps;
  }

  begin(): void {
    this.#seen = 0;
    this.#placed = false;
  }

  /** The lines to send instead of the field at `index`. */
  lineAt(head: MessageHead, index: number): string {
    const line = head.text.slice(head.lineStart(index), head.lineStart(index + 1));
    return this.lineFor(head.nameAt(index), head.valueAt(index), line);
  }

  /** The lines to send instead of `line`, a field received or one of our own. */
  lineFor(name: string, value: string, line: string): string {
    const given = this.#values?.[this.#seen++] ?? value;
    if (this.#keeps) {
      if (given === '' && value !== '') return '';
      if (this.#rewrites === null) return given === value ? line : fieldLine(name, given);
      return fieldLine(
        name,
        this.#rewrites.reduce((text, edit) => edit(text), given),
      );
    }
    if (this.#set === null || this.#placed) return '';
    this.#placed = true;
    return fieldLine(this.#set.name, this.#set.value);
  }

  /** The fields that were set or appended and are not placed yet. */
  rest(): string {
    let lines = '';
    if (this.#set !== null && !this.#placed) lines = fieldLine(this.#set.name, this.#set.value);
    if (this.#appended === null) return lines;
    for (const { name, value } of this.#appended) lines += fieldLine(name, value);
    return lines;
  }
}

/** Used for other spellings of a watched name: drops them. */
const DROPPED = new FieldEdit('');
DROPPED.remove();

/**
 * Changes to one outgoing head, recorded here and applied by the encoders; order, names and bytes of everything else
 * stay. Reused for one message after the other. What could break a head never gets into it, whatever the values hold:
 * control characters are left out, guarded fields are not touched.
 *
 * A name stands for every spelling that servers may read as the same name (`readsAs`): what is removed or replaced under
 * one spelling can't come in under another.
 */
export class HeadEdit {
  /** The request target to send; empty leaves the one received. */
  #target = '';
  #fields: FieldEdit[] = [];
  /** A bit for each length that a name in `#fields` has: most fields of a head are told apart by their length. */
  #lengths = 0;
  /** Does the edit change a field that the encoders write themselves? */
  #touchesOwn = false;
  #watched: FieldNames | null = null;
  /** Has the edit recorded nothing since it was last cleared? */
  isEmpty = true;

  clear(): void {
    this.#target = '';
    this.#fields = [];
    this.#lengths = 0;
    this.#touchesOwn = false;
    this.#watched = null;
    this.isEmpty = true;
  }

  get target(): string {
    return this.#target;
  }

  /** In origin-form, with the bytes that a request target may have. */
  set target(target: string) {
    this.#target = target.replace(NO_TARGET_BYTES, '');
    this.isEmpty = false;
  }

  /** Drops every field of the name. Keys are names in lower case. */
  remove(key: string): void {
    this.#field(key)?.remove();
  }

  /** Leaves one field of the name: where the first one was, else at the end. */
  set(key: string, name: string, value: string): void {
    this.#field(key)?.set(name, value);
  }

  /** One more field of the name, at the end. */
  append(key: string, name: string, value: string): void {
    this.#field(key)?.append(name, value);
  }

  /** Changes the value of every field of the name, including those that earlier edits added. */
  rewrite(key: string, edit: (value: string) => string): void {
    this.#field(key)?.rewrite(edit);
  }

  /** Replaces the values of the `received` fields, in order: an empty one drops its field, surplus ones are appended. */
  replaceValues(key: string, name: string, values: readonly string[], received: number): void {
    this.#field(key)?.replaceValues(name, values, received);
  }

  /**
   * Where a field has exactly one of these names, fields with another spelling of it are dropped: the former was judged,
   * and a server may read the latter.
   */
  watch(names: FieldNames): void {
    this.#watched = names;
    this.isEmpty = false;
  }

  // Called by the encoders.

  /** A head is about to be written; one edit may be written several times. */
  begin(): void {
    for (const field of this.#fields) field.begin();
  }

  /** The edit for the field at `index`; null when the field is sent unchanged. */
  fieldAt(head: MessageHead, index: number): FieldEdit | null {
    const start = head.offsets[index * 4] as number;
    const end = head.offsets[index * 4 + 1] as number;
    const watched = this.#watched;
    const lengths = watched === null ? this.#lengths : this.#lengths | watched.lengths;
    if (((lengths >>> (end - start)) & 1) === 0) return null;
    const fields = this.#fields;
    let other: FieldEdit | null = null;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i] as FieldEdit;
      if (!readsAs(head.text, start, end, field.key)) continue;
      if (equalsWord(head.text, start, end, field.key)) return field;
      if (other === null || field.removes) other = field;
    }
    if (other !== null || watched === null) return other;
    const name = watched.find(head.text, start, end);
    if (name === null || equalsWord(head.text, start, end, name)) return null;
    return hasField(head, name) ? DROPPED : null;
  }

  /** The lines that an encoder adds, edited like received ones. */
  own(lines: string): string {
    return this.#touchesOwn ? this.lines(lines) : lines;
  }

  /** Lines of a head, each edited like a received one. */
  lines(lines: string): string {
    let edited = '';
    for (const line of lines.split('\r\n')) {
      const colon = line.indexOf(':');
      if (colon === -1) continue;
      const name = line.slice(0, colon);
      const field = this.#fields.find(({ key }) => key === name.toLowerCase());
      edited += field ? field.lineFor(name, line.slice(colon + 2), `${line}\r\n`) : `${line}\r\n`;
    }
    return edited;
  }

  /** The fields that were set or appended and have not been written yet. */
  rest(): string {
    let lines = '';
    for (const field of this.#fields) lines += field.rest();
    return lines;
  }

  #field(key: string): FieldEdit | null {
    for (const field of this.#fields) if (field.key === key) return field;
    const id = fieldId(key, 0, key.length);
    if (GUARDED.has(id)) return null;
    const field = new FieldEdit(key);
    this.#fields.push(field);
    this.isEmpty = false;
    // Shifts count modulo 32, here and in `fieldAt`.
    this.#lengths |= 1 << key.length;
    if (OWN.has(id) || key === 'content-type') this.#touchesOwn = true;
    return field;
  }
}

function hasField({ text, offsets, fieldCount }: MessageHead, name: string): boolean {
  for (let i = 0; i < fieldCount; i++)
    if (equalsWord(text, offsets[i * 4] as number, offsets[i * 4 + 1] as number, name)) return true;
  return false;
}

function fieldLine(name: string, value: string): string {
  const clean = NO_VALUE_BYTE.test(value) ? value.replace(NO_VALUE_BYTES, '') : value;
  return `${name}: ${clean}\r\n`;
}
