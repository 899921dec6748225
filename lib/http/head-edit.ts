import { equalsWord, FIELD, type FieldNames, fieldId, readsAs } from './fields.js';
import type { MessageHead } from './head.js';

/** What only the proxy itself can set right: whom a message is for, where it ends, what belongs to one connection. */
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

/** What encoders write themselves, besides Content-Type, which is no field that a proxy acts on. */
const OWN: ReadonlySet<number> = new Set([
  FIELD.via,
  FIELD.cdnLoop,
  FIELD.date,
  FIELD.forwarded,
  FIELD.xForwardedFor,
  FIELD.xForwardedProto,
  FIELD.xForwardedHost,
  FIELD.xRequestId,
]);

/** Bytes that no value of a field has (RFC 9110, 5.5), and characters that are no bytes: written as latin1, U+010A is a LF. */
const NO_VALUE_BYTE = /[^\t\x20-\x7e\x80-\xff]/;
const NO_VALUE_BYTES = new RegExp(NO_VALUE_BYTE, 'g');
const NO_TARGET_BYTES = /[^\x21-\x7e\x80-\xff]|#/g;

interface Field {
  readonly name: string;
  readonly value: string;
}

/** What becomes of the fields of one name. */
export class FieldEdit {
  readonly key: string;
  /** Do received fields stay? */
  #keeps = true;
  /** In place of the values received, one for each field; an empty one drops it. */
  #values: readonly string[] | null = null;
  #rewrites: ((value: string) => string)[] | null = null;
  /** Stands where the first field stood, or at the end. */
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

  /** Does no field that was received stay as it is? */
  get removes(): boolean {
    return !this.#keeps;
  }

  begin(): void {
    this.#seen = 0;
    this.#placed = false;
  }

  /** What is sent in place of the field at `index`. */
  lineAt(head: MessageHead, index: number): string {
    const line = head.text.slice(head.lineStart(index), head.lineStart(index + 1));
    return this.lineFor(head.nameAt(index), head.valueAt(index), line);
  }

  /** What is sent in place of `line`, a field received or one of our own. */
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

  /** What has found no place so far. */
  rest(): string {
    let lines = '';
    if (this.#set !== null && !this.#placed) lines = fieldLine(this.#set.name, this.#set.value);
    if (this.#appended === null) return lines;
    for (const { name, value } of this.#appended) lines += fieldLine(name, value);
    return lines;
  }
}

/** In place of the other spellings of a name that is there as it should be. */
const DROPPED = new FieldEdit('');
DROPPED.remove();

/**
 * Changes to one head on its way out, noted here and carried out by the encoders; order, names and bytes of all else
 * stay. Used for one message after the other. What could break a head never gets into it, whatever the values hold:
 * control characters are left out, guarded fields are not touched.
 *
 * A name stands for every spelling of it that servers may read alike (`readsAs`): what is removed or replaced under one
 * can't come in under another.
 */
export class HeadEdit {
  /** The request target to send; empty leaves the one received. */
  #target = '';
  #fields: FieldEdit[] = [];
  /** A bit for each length that a name among them has: most fields of a head are told apart by it. */
  #lengths = 0;
  /** Is a field among them that the encoders write themselves? */
  #touchesOwn = false;
  #watched: FieldNames | null = null;
  /** Was nothing noted since it was last cleared? */
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

  /** One field where the first of the name was, else at the end. */
  set(key: string, name: string, value: string): void {
    this.#field(key)?.set(name, value);
  }

  /** One more field of the name, at the end. */
  append(key: string, name: string, value: string): void {
    this.#field(key)?.append(name, value);
  }

  /** Changes the value of every field of the name, those of earlier edits too. */
  rewrite(key: string, edit: (value: string) => string): void {
    this.#field(key)?.rewrite(edit);
  }

  /** `values` in place of those of the `received` fields, in order: an empty one drops its field, more are appended. */
  replaceValues(key: string, name: string, values: readonly string[], received: number): void {
    this.#field(key)?.replaceValues(name, values, received);
  }

  /**
   * Where a field is called by one of these names, those in another spelling of it are dropped: what was judged is the
   * former, and a server may read the latter.
   */
  watch(names: FieldNames): void {
    this.#watched = names;
    this.isEmpty = false;
  }

  // For the encoders.

  /** A head is about to be written; the same edit may be written several times. */
  begin(): void {
    for (const field of this.#fields) field.begin();
  }

  /** What becomes of the field at `index`; null when it goes as it is. */
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

  /** The lines that an encoder adds by itself, edited like those received. */
  own(lines: string): string {
    return this.#touchesOwn ? this.lines(lines) : lines;
  }

  /** Lines of a head, each edited like one received. */
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

  /** What was set or appended and has not been written yet. */
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
    // Shifts count modulo 32, here and when it is asked.
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
