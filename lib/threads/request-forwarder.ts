import type { RequestRecord } from '../base/observer.js';
import type { LineFormat } from '../observe/batched-sink.js';
import { charactersOf, lineFormatOf } from '../observe/line-format.js';
import { LogFilter } from '../observe/log-filter.js';
import { Credit } from './credit.js';
import { LineMemory, LineWriter } from './line-memory.js';
import { RecordWriter } from './record-batch.js';
import type { Report, ReporterStart, ReportTerms } from './report-messages.js';

/** Records are posted at most this long after the first of them, in ms, so that observers get them soon. */
const RECORDS_AFTER_MS = 5;
/** The same for lines, which are posted less often: fewer messages cost the main thread less. */
const LINES_AFTER_MS = 25;
/** Records are posted earlier when they take this many bytes. */
const BATCH_BYTES = 256 * 1024;

/** Forwards the records of a thread's requests, or lines of them, as far as observers in the main thread read them. */
export class RequestForwarder {
  readonly #post: (report: Report) => void;
  readonly #credit: Credit;
  readonly #memory: LineMemory;
  readonly #records = new RecordWriter();
  #wantsRecords = false;
  #lines: LineWriter | null = null;
  #format: LineFormat = () => '';
  #filter: LogFilter | null = null;
  #timer: NodeJS.Timeout | null = null;
  #droppedRecords = 0;

  constructor({ terms, credit, lines }: ReporterStart, post: (report: Report) => void) {
    this.#post = post;
    this.#credit = new Credit(credit);
    this.#memory = new LineMemory(lines);
    this.applyTerms(terms);
  }

  /** From the next request on. */
  applyTerms({ records, lines }: ReportTerms): void {
    this.flush();
    this.#wantsRecords = records;
    if (lines === null) {
      this.#lines = null;
      return;
    }
    this.#format = lineFormatOf(lines);
    this.#filter = lines.filter && new LogFilter(lines.filter);
    this.#lines = new LineWriter(this.#memory, charactersOf(lines), {
      postBlocks: (blocks) => this.#post({ kind: 'blocks', blocks }),
      postLong: (bytes) => this.#postLong(bytes),
    });
  }

  note(record: RequestRecord): void {
    if (this.#wantsRecords) this.#noteRecord(record);
    if (this.#lines === null || this.#filter?.keeps(record) === false) return;
    this.#lines.write(this.#format(record));
    this.#flushIn(LINES_AFTER_MS);
  }

  /** Posts what waits. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#postRecords();
    this.#lines?.flush();
    const records = this.#droppedRecords;
    const lines = this.#lines?.takeDropped() ?? 0;
    this.#droppedRecords = 0;
    if (records + lines > 0) this.#post({ kind: 'dropped', records, lines, spans: 0 });
  }

  #noteRecord(record: RequestRecord): void {
    this.#records.write(record);
    if (this.#records.bytes >= BATCH_BYTES) this.#postRecords();
    else this.#flushIn(RECORDS_AFTER_MS);
  }

  /** With records, lines are posted with them. */
  #flushIn(ms: number): void {
    this.#timer ??= setTimeout(() => this.flush(), ms);
  }

  #postRecords(): void {
    if (this.#records.count === 0) return;
    const batch = this.#records.take();
    if (this.#credit.take(batch.bytes)) this.#post({ kind: 'records', batch });
    else this.#droppedRecords += batch.count;
  }

  #postLong(bytes: Buffer): boolean {
    if (!this.#credit.take(bytes.length)) return false;
    this.#post({ kind: 'line', bytes });
    return true;
  }
}
