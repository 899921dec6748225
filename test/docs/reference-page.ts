import type { SettingReference, SettingsReference } from '../../lib/config/reference.js';
import { VARIABLE_MEANINGS } from '../../lib/config/template.js';

/** What can be written for a value, and what it means. */
export const FORMS: readonly (readonly [written: readonly string[], meaning: string])[] = [
  [['500ms', '5s', '1m', '2h'], 'a duration, with its unit; `0` switches a deadline off'],
  [['512b', '64kb', '10mb', '1gb'], 'a size; `0` is no limit'],
  [['20%'], 'a share'],
  [[`\${NAME}`, `\${NAME:-default}`], 'a variable of the environment, in any text'],
  [['/regex/', '/regex/i'], 'a regular expression, where a value is compared'],
  [['"*"'], 'any value, where a value is compared'],
  [['&name', '*name'], 'names a value, and uses it once more'],
  [
    ['<<: *name', '<<: [*one, *other]'],
    'takes the keys of a map; own keys win, then those of the map that is listed first',
  ],
  [['x-anything: …'], 'at the top of the file: ignored, a place for values that are named'],
];

const INTRODUCTION = `# Configuration

Every key of the settings file, with its default. This page is written from
[\`lib/config/schema.json\`](../lib/config/schema.json) by \`make docs\`; editors complete from the same schema.
\`lb help KEY\` prints one key in the terminal, \`lb check\` finds every mistake in a file.

The file is YAML. It is \`loadbalancer.yaml\` in the current folder unless \`-c FILE\` names another. Unknown keys are
refused. Settings at the top level are the defaults of every host, path and route, which may say otherwise.

| written | means |
|---|---|
${FORMS.map(([written, meaning]) => `| ${written.map((one) => `\`${one}\``).join(', ')} | ${meaning} |`).join('\n')}
`;

/** The reference of the settings file as a Markdown page. */
export function referencePage(reference: SettingsReference): string {
  const sections = reference.settings.filter(({ key }) => !key.includes('.'));
  return [
    INTRODUCTION,
    contents(sections),
    ...sections.map((top) => section(reference, top)),
    templates(),
  ].join('\n');
}

function contents(sections: readonly SettingReference[]): string {
  return `${sections.map(({ key }) => `[\`${key}\`](#${anchor(key)})`).join(' · ')} · [templates](#templates)\n`;
}

function section(reference: SettingsReference, top: SettingReference): string {
  const below = reference.settings.filter(
    ({ key }) => key.startsWith(`${top.key}.`) || key.startsWith(`${top.key}[]`),
  );
  const keys = below.map((setting) => `### ${setting.key}\n\n${body(setting, reference)}`);
  return [`## ${top.key}\n\n${body(top, reference)}`, ...keys].join('\n');
}

function body(setting: SettingReference, reference: SettingsReference): string {
  const facts = [
    setting.form === '' ? '' : `Value: ${setting.form}.`,
    setting.isRequired ? 'Required.' : '',
    setting.defaultValue === '' ? '' : `Default: \`${setting.defaultValue}\`.`,
    `Since ${setting.since}.`,
  ].filter((fact) => fact !== '');
  const shared = sharedWith(setting, reference);
  const text =
    shared === null ? setting.meaning : `${setting.meaning} See [\`${shared}\`](#${anchor(shared)}).`.trim();
  const examples =
    setting.examples.length === 0 ? '' : `\`\`\`yaml\n${setting.examples.join('\n# or\n')}\n\`\`\`\n`;
  return `${text === '' ? '' : `${text}\n\n`}${facts.join(' ')}\n${examples === '' ? '' : `\n${examples}`}`;
}

/** The top-level key that has the same keys below, for one that stands inside a host, a path or a route. */
function sharedWith(setting: SettingReference, reference: SettingsReference): string | null {
  if (!/\[\]\.\w+$/.test(setting.key)) return null;
  const name = setting.key.slice(setting.key.lastIndexOf('.') + 1);
  return reference.settings.some(({ key }) => key === name) ? name : null;
}

function templates(): string {
  const rows = Object.entries(VARIABLE_MEANINGS).map(([name, meaning]) => `| \`{${name}}\` | ${meaning} |`);
  return `## Templates

Texts of rules, redirects and fixed answers may hold these. Each is what the request said as it came, before any rule;
empty where the request has none. \`{{name}\` is a plain \`{name}\`.

| template | value |
|---|---|
${rows.join('\n')}
| \`{header.NAME}\`, \`{cookie.NAME}\`, \`{param.NAME}\` | a field, cookie or parameter of the request |
| \`{$1}\` … \`{$9}\` | a group of the regular expression by which the route was found |
| \`$1\` … \`$9\`, \`$0\` | in a rule with a regular expression: a group of it, or all it matched |
`;
}

/** As Markdown viewers make it of a heading. */
function anchor(key: string): string {
  return key.replace(/[^\w-]/g, '').toLowerCase();
}
