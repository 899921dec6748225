import { equalsWord, FIELD, type FieldId, fieldId } from './fields.js';

const SPACE = 0x20;
const TAB = 0x09;

/**
 * A message head as it was received: one latin1 string, and where each field lies in it. Strings for single
 * fields are cut only when somebody asks. Made once per parser and filled again for each message.
 */
export class MessageHead {
  /** The whole head, start line to empty line, one character per byte. */
  text = '';
  /** Four per field: start and end of its name, start and end of its value in `text`. */
  readonly offsets: Int32Array;
  /** What each field is, parallel to `offsets`. */
  readonly ids: Uint8Array;
  fieldCount = 0;
  /** A bit for each id that one of the fields has: most of what is asked for is not there. */
  present = 0;
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  minorVersion = 1;

  constructor(maxFields: number) {
    this.offsets = new Int32Array(maxFields * 4);
    this.ids = new Uint8Array(maxFields);
  }

  /** Takes over a parsed head: its text, and the offsets that the parser wrote into `offsets` already. */
  protected load(text: string, fieldCount: number): void {
    const { offsets, ids } = this;
    let present = 0;
    for (let i = 0; i < fieldCount; i++) {
      const id = fieldId(text, offsets[i * 4] as number, offsets[i * 4 + 1] as number);
      ids[i] = id;
      present |= 1 << id;
    }
    this.text = text;
    this.fieldCount = fieldCount;
    this.present = present;
  }

  /** Has it a field with this id? */
  has(id: FieldId): boolean {
    return ((this.present >>> id) & 1) === 1;
  }

  idAt(index: number): FieldId {
    return this.ids[index] as FieldId;
  }

  nameAt(index: number): string {
    return this.text.slice(this.offsets[index * 4], this.offsets[index * 4 + 1]);
  }

  /** The value without the white space around it (RFC 9112, 5.1). */
  valueAt(index: number): string {
    return this.text.slice(this.offsets[index * 4 + 2], this.valueEnd(index));
  }

  valueStart(index: number): number {
    return this.offsets[index * 4 + 2] as number;
  }

  /** End of the value, trailing white space left out: llhttp keeps it. */
  valueEnd(index: number): number {
    const start = this.offsets[index * 4 + 2] as number;
    let end = this.offsets[index * 4 + 3] as number;
    while (end > start) {
      const code = this.text.charCodeAt(end - 1);
      if (code !== SPACE && code !== TAB) break;
      end--;
    }
    return end;
  }

  /** Is the value exactly `chunked`? */
  isChunked(index: number): boolean {
    return equalsWord(this.text, this.valueStart(index), this.valueEnd(index), 'chunked');
  }

  /** Where the line of field `index` begins; for the number of fields, where the empty line begins. */
  lineStart(index: number): number {
    return index < this.fieldCount ? (this.offsets[index * 4] as number) : this.text.length - 2;
  }

  /** The first field with this id, or -1. */
  indexOf(id: FieldId): number {
    if (((this.present >>> id) & 1) === 0) return -1;
    for (let i = 0; i < this.fieldCount; i++) if (this.ids[i] === id) return i;
    return -1;
  }

  /** The value of the first field with this id; empty when there is none. */
  valueOf(id: FieldId): string {
    const index = this.indexOf(id);
    return index === -1 ? '' : this.valueAt(index);
  }
}

/** What the Connection field(s) of a head say (RFC 9110, 7.6.1). */
export class ConnectionOptions {
  close = false;
  keepAlive = false;
  upgrade = false;
  te = false;
  /** Other names, lower case: fields to drop with it. A client may give thousands. Null when there are none, as nearly always. */
  named: Set<string> | null = null;

  /** Says nothing, as where there is no such field. */
  clear(): void {
    this.close = false;
    this.keepAlive = false;
    this.upgrade = false;
    this.te = false;
    this.named = null;
  }

  /** Reads every Connection field of `head`; only after `clear`. */
  read(head: MessageHead): void {
    for (let i = 0; i < head.fieldCount; i++) {
      if (head.ids[i] === FIELD.connection) this.#readValue(head.valueAt(i));
    }
  }

  #readValue(value: string): void {
    if (value === 'keep-alive') {
      this.keepAlive = true;
      return;
    }
    for (const part of value.toLowerCase().split(',')) {
      const option = part.trim();
      if (option === 'close') this.close = true;
      else if (option === 'keep-alive') this.keepAlive = true;
      else if (option === 'upgrade') this.upgrade = true;
      else if (option === 'te') this.te = true;
      else if (option !== '') {
        this.named ??= new Set();
        this.named.add(option);
      }
    }
  }
}
