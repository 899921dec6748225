import { hostname } from 'node:os';
import { instanceName } from '../../base/instance-name.js';
import { VERSION } from '../../base/version.js';
import type { CollectorConfig } from '../../config/types.js';
import { jsonString } from '../escape.js';

/** The resource that spans and figures belong to, and the scope they were made in, as fields of an OTLP message. */
export function resourceText({ service, instance, attributes }: CollectorConfig): string {
  const all: readonly (readonly [name: string, value: string])[] = [
    ['service.name', service],
    ['service.version', VERSION],
    ['service.instance.id', instanceName(instance)],
    ['host.name', hostname()],
    ['telemetry.sdk.name', 'lb'],
    ['telemetry.sdk.language', 'nodejs'],
    ['telemetry.sdk.version', VERSION],
    ...attributes.map(({ name, value }) => [name, value] as const),
  ];
  const texts = all.map(([name, value]) => `{"key":${text(name)},"value":{"stringValue":${text(value)}}}`);
  return `"resource":{"attributes":[${texts.join(',')}]}`;
}

/** `"scope":{…}` */
export const SCOPE = `"scope":{"name":"lb","version":${jsonString(VERSION)}}`;

/** Settings are Unicode, unlike what clients send. */
function text(value: string): string {
  return JSON.stringify(value).replace(/[\x7f-\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
