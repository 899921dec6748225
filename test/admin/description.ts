import { Ajv2020 } from 'ajv/dist/2020.js';
import { openApiText } from '../../lib/admin/routes.js';

interface Media {
  readonly content?: { readonly [type: string]: { readonly schema: object } };
  readonly $ref?: string;
}

interface Operation {
  readonly summary: string;
  readonly security?: readonly object[];
  readonly requestBody?: Media;
  readonly responses: { readonly [status: string]: Media };
}

interface Description {
  readonly openapi: string;
  readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } };
  readonly components: { readonly schemas: { readonly [name: string]: object } };
}

/** The API as it is described. */
export const description = JSON.parse(openApiText()) as Description;
const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
for (const word of ['components', 'paths', 'openapi', 'info', 'security', 'tags']) ajv.addKeyword(word);
ajv.addSchema(description, 'api');

/** What is wrong with a value, by the schema at a JSON pointer; empty when nothing is. */
export function schemaFault(pointer: string, value: unknown): string {
  const validate = ajv.getSchema(`api#${pointer}`);
  if (validate === undefined) return `there is no ${pointer}`;
  return validate(value) === true ? '' : ajv.errorsText(validate.errors);
}

/** The schema of a response of JSON, as a pointer into the description. */
export function schemaPointer(path: string, method: string, status: number): string | null {
  const pointerPart = (part: string): string =>
    encodeURIComponent(part.replace(/~/g, '~0').replace(/\//g, '~1'));
  const response = description.paths[path]?.[method.toLowerCase()]?.responses[status];
  if (response === undefined) return 'nothing of the kind';
  if (response.$ref !== undefined)
    return `${response.$ref.slice(1)}/content/${pointerPart('application/json')}/schema`;
  if (response.content?.['application/json'] === undefined) return null;
  const place = [
    'paths',
    path,
    method.toLowerCase(),
    'responses',
    String(status),
    'content',
    'application/json',
  ];
  return `/${place.map(pointerPart).join('/')}/schema`;
}

/** Throws when the schema of this name is none. */
export function compiles(name: string): void {
  ajv.getSchema(`api#/components/schemas/${name}`);
}
