import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import type { Test } from 'tap';
import { until } from './loop-ticks.js';

/** A span as a collector gets it, its attributes as a map. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly flags: number;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: { readonly [name: string]: string | number | boolean };
  readonly status?: { readonly code?: number };
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
}

export interface ReceivedExport {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent
  readonly json: any;
}

export interface CollectorAnswer {
  readonly status?: number;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: string;
}

/** A collector that keeps what it is sent, and answers as a test wants. */
export class FakeCollector {
  readonly exports: ReceivedExport[] = [];
  port = 0;
  /** The answer to each request; a promise that never settles is a collector that hangs. */
  answer: (count: number) => CollectorAnswer | Promise<CollectorAnswer> = () => ({});

  static async start(t: Test, port = 0): Promise<FakeCollector> {
    const collector = new FakeCollector();
    const server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('error', () => {});
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const bytes = Buffer.concat(pieces);
        const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString();
        const { url: path = '', headers } = request;
        collector.exports.push({ path, headers, text, json: JSON.parse(text) });
        void Promise.resolve(collector.answer(collector.exports.length)).then((answer) => {
          const { status = 200, headers: fields = {}, body = '{}' } = answer;
          response.writeHead(status, { 'Content-Type': 'application/json', ...fields }).end(body);
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    collector.port = (server.address() as AddressInfo).port;
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** All spans so far. */
  get spans(): readonly ReceivedSpan[] {
    return this.exports.flatMap(({ json }) =>
      (json.resourceSpans ?? []).flatMap((resource: { scopeSpans: { spans: readonly RawSpan[] }[] }) =>
        resource.scopeSpans.flatMap(({ spans }) => spans.map(spanOf)),
      ),
    );
  }

  /** Resolves with all spans as soon as there are so many. */
  async spansWhen(count: number): Promise<readonly ReceivedSpan[]> {
    await until(() => this.spans.length >= count);
    return this.spans;
  }
}

interface RawAttribute {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly intValue?: string;
    readonly doubleValue?: number;
    readonly boolValue?: boolean;
  };
}

type RawSpan = Omit<ReceivedSpan, 'attributes'> & { readonly attributes: readonly RawAttribute[] };

function spanOf(raw: RawSpan): ReceivedSpan {
  return { ...raw, attributes: attributesOf(raw.attributes) };
}

export function attributesOf(list: readonly RawAttribute[]): ReceivedSpan['attributes'] {
  return Object.fromEntries(
    list.map(({ key, value }) => [
      key,
      value.intValue === undefined
        ? (value.stringValue ?? value.doubleValue ?? value.boolValue ?? '')
        : Number(value.intValue),
    ]),
  );
}
