// The little that is needed to build and change a document. Text is always text: nothing is ever parsed as HTML.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An element with attributes and children. A `false` or null attribute is left out, `true` is an empty one.
 * @param {string} tag `div`, `td.number`
 */
export function make(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length > 0) element.className = classes.join(' ');
  return dress(element, attributes, children);
}

/** The same for SVG. @param {string} tag */
export function draw(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElementNS(SVG, name);
  if (classes.length > 0) element.setAttribute('class', classes.join(' '));
  return dress(element, attributes, children);
}

function dress(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null)
      element.setAttribute(key, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** @param {string} id */
export const part = (id) => document.getElementById(id);

/** Sets a text, and changes nothing when it is the same: a selection of the reader stays. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute, or removes it when the value is null. */
export function mark(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Makes the children of `parent` those of `items`, in order. What was there stays the same element, with its focus.
 * @param {Map<string, any>} kept of this parent: what `create` made, by key
 * @param {Element | null} behind a child that stays in front of them
 */
export function reconcile(parent, kept, items, keyOf, create, behind = null) {
  const wanted = new Set(items.map(keyOf));
  for (const [key, part] of kept) {
    if (wanted.has(key)) continue;
    part.element.remove();
    kept.delete(key);
  }
  let next = behind === null ? parent.firstChild : behind.nextSibling;
  for (const item of items) {
    const key = keyOf(item);
    let part = kept.get(key);
    if (part === undefined) {
      part = create(item);
      kept.set(key, part);
    }
    if (part.element === next) next = next.nextSibling;
    else parent.insertBefore(part.element, next);
    part.update(item);
  }
}

/** What may be scrolled sideways where the screen is narrow has to be reached by the keyboard. */
export function scrollable(element, label) {
  for (const [name, value] of [
    ['tabindex', '0'],
    ['role', 'group'],
    ['aria-label', label],
  ])
    element.setAttribute(name, value);
  return element;
}

/** The shape of a tone or a state, so that colour is not the only sign. */
const SHAPES = {
  good: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM5 8.2l2.1 2.1L11 6.2',
  quiet: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11z',
  bad: 'M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2zM5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4',
  warn: 'M8 1.8l6.6 12H1.4zM8 6.4v3.2M8 11.7v.1',
};

/** @param {string} tone */
export function shape(tone) {
  const path = draw('path', { d: SHAPES[tone] ?? SHAPES.quiet });
  return draw('svg.shape', { viewBox: '0 0 16 16', 'aria-hidden': 'true', 'data-tone': tone }, path);
}

/** Changes a shape made before. */
export function reshape(svg, tone) {
  if (svg.dataset.tone === tone) return;
  svg.dataset.tone = tone;
  svg.firstChild.setAttribute('d', SHAPES[tone] ?? SHAPES.quiet);
}
