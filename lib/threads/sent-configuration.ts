import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { decodeGraph, encodeGraph, type GraphChunk } from '../base/object-graph.js';
import type { Steps } from '../base/slices.js';
import type { ConfigurationParts, SentConfiguration } from './messages.js';

/** Encodes a configuration once, for any number of threads. The port of each has to be among those that are transferred. */
export function configurationSender(
  parts: ConfigurationParts,
  secret: Buffer | null,
): () => SentConfiguration {
  const chunks = encodeGraph(parts);
  return () => {
    const { port1, port2 } = new MessageChannel();
    for (const chunk of chunks) port1.postMessage(chunk);
    return { port: port2, secret };
  };
}

/** Reads a configuration in steps. */
export function* receiveConfiguration({ port }: SentConfiguration): Steps<ConfigurationParts> {
  const next = (): GraphChunk | null => (receiveMessageOnPort(port)?.message as GraphChunk) ?? null;
  const parts = (yield* decodeGraph(next)) as ConfigurationParts;
  port.close();
  return parts;
}
