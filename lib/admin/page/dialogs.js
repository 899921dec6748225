import { make, part, say } from './elements.js';

/**
 * Asks before something is done. Resolves with the result of `act`, or null when the person cancels; an error of `act`
 * is shown, and the question stays. @param {{ title: string, text: string, yes: string, fields?: readonly Element[] }}
 * question @param {() => Promise<any>} act
 */
export function askFirst({ title, text, yes, fields = [] }, act) {
  const dialog = part('ask');
  const form = dialog.querySelector('form');
  const problem = part('ask-error');
  say(part('ask-title'), title);
  say(part('ask-text'), text);
  say(part('ask-yes'), yes);
  part('ask-fields').replaceChildren(...fields);
  problem.hidden = true;
  return new Promise((resolve) => {
    const end = new AbortController();
    const { signal } = end;
    const finish = (value) => {
      end.abort();
      dialog.close();
      resolve(value);
    };
    const submit = async (event) => {
      event.preventDefault();
      part('ask-yes').disabled = true;
      try {
        finish(await act());
      } catch (error) {
        problem.hidden = false;
        say(problem, `${error.message}. ${error.hint ?? ''}`.trim());
        if (error.details) problem.append(make('pre', {}, error.details));
      } finally {
        part('ask-yes').disabled = false;
      }
    };
    form.addEventListener('submit', submit, { signal });
    part('ask-no').addEventListener('click', () => finish(null), { signal });
    const cancel = (event) => {
      event.preventDefault();
      finish(null);
    };
    dialog.addEventListener('cancel', cancel, { signal });
    dialog.showModal();
    (dialog.querySelector('#ask-fields input') ?? part('ask-no')).focus();
  });
}

/** One of several, each with a line that says what it means. */
export function choices(name, legend, options) {
  const rows = options.map(({ value, label, meaning }, index) =>
    make(
      'label.choice',
      {},
      make('input', { type: 'radio', name, value, checked: index === 0 }),
      make('span', {}, make('strong', {}, label), make('span.meaning', {}, meaning)),
    ),
  );
  return make('fieldset', {}, make('legend.unseen', {}, legend), ...rows);
}

/** The chosen value of `name` in the open dialog. */
export const chosen = (name) => part('ask').querySelector(`input[name="${name}"]:checked`).value;

/** A label with its input. */
export function field(label, attributes) {
  const input = make('input', attributes);
  return { input, element: make('label.field', {}, make('span', {}, label), input) };
}
