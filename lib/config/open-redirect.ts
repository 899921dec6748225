import type { Template } from './template.js';

/** Stand for a parameter of the request in a template, for a path, and for any other value. */
const PARAMETER = '\0';
const PATH = '/';
const VALUE = 'x';

/** A host that is a parameter, or ends with one. What follows a whole name is the path (`rules/location`). */
const CHOSEN_HOST = /^(?:[a-z][\w+.-]*:)?\/\/(?:[^/?#\\\0]*[.@_-])?\0(?::\d*)?(?:[/?#\\]|$)/i;

/**
 * Does a parameter choose the host that a redirect leads to, as in `https://{param.to}/`? Then anybody can make a link to this
 * site that leads elsewhere. Not where the settings say how the host ends: `https://{param.shop}.example.com/`.
 */
export function isOpenRedirect(to: Template): boolean {
  const parts = to.map((part) => {
    if (part.kind === 'text') return part.text;
    if (part.kind === 'param') return PARAMETER;
    return part.kind === 'variable' && part.name === 'path' ? PATH : VALUE;
  });
  return CHOSEN_HOST.test(parts.join(''));
}
