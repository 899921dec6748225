import { readFileSync } from 'node:fs';

/** The file lies in `lib/admin/` of the package; this module runs from `dist/lib/admin/`. */
const file = new URL('../../../lib/admin/openapi.json', import.meta.url);

let text: string | undefined;

/** The description of the API, OpenAPI 3.1. */
export function openApiText(): string {
  text ??= readFileSync(file, 'utf8');
  return text;
}
