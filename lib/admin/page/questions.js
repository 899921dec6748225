import { ask } from './connection.js';
import { askFirst, choices, chosen, field } from './dialogs.js';
import { plural } from './words.js';

/** Asks before a server is changed. Resolves with the changed server, or null. @param {any} server @param {string} what */
export function changeServer(server, what) {
  const path = `/api/servers/${encodeURIComponent(server.name)}`;
  return questions[what](server, (body) => ask(path, { method: 'PATCH', body }));
}

const questions = {
  drain({ name, active }, put) {
    const state = choices('state', 'How', [
      { value: 'drain', label: 'Drain', meaning: 'No new requests; clients bound to it go on.' },
      {
        value: 'maintenance',
        label: 'Maintenance',
        meaning: 'No requests at all, bound clients go to others.',
      },
    ]);
    const requests =
      active === 0 ? 'It has no request now.' : `The ${plural(active, 'request')} on it may finish.`;
    const text = `It leaves the rotation in all its routes. ${requests}`;
    return askFirst({ title: `Take ${name} out of service?`, text, yes: 'Take out', fields: [state] }, () =>
      put({ state: chosen('state') }),
    );
  },
  enable({ name }, put) {
    const text = 'It gets its share of new requests again, as soon as its checks pass.';
    return askFirst({ title: `Enable ${name}?`, text, yes: 'Enable' }, () => put({ state: 'ready' }));
  },
  weight({ name, weight }, put) {
    const limits = { type: 'number', min: 0, max: 256, step: 1, required: true, inputmode: 'numeric' };
    const { input, element } = field('Weight, 0 to 256', { ...limits, value: weight });
    const text = 'A server of weight 2 gets twice the requests of one of weight 1; 0 takes none.';
    const act = () => put({ weight: input.valueAsNumber });
    return askFirst({ title: `Weight of ${name}`, text, yes: 'Change', fields: [element] }, act);
  },
};

/** Resolves with null when the person cancels. @param {string} client */
export function askToLift(client) {
  const text = 'It is let in again at once, with a clean record.';
  return askFirst({ title: `Lift the ban of ${client}?`, text, yes: 'Lift' }, () =>
    ask(`/api/bans/${encodeURIComponent(client)}`, { method: 'DELETE' }),
  );
}

/** @param {string} host */
export function askToEndMaintenance(host) {
  const text = 'Its requests go to its servers again, from the next one on.';
  const title = `End the maintenance of ${host === '*' ? 'every host' : host}?`;
  return askFirst({ title, text, yes: 'End' }, async () => {
    await ask(`/api/maintenance/${encodeURIComponent(host)}`, { method: 'DELETE' });
    return true;
  });
}

export function askToReload() {
  const text = 'The settings file is read again, and taken over if all of it is good. No request is lost.';
  return askFirst({ title: 'Reload settings?', text, yes: 'Reload' }, () =>
    ask('/api/reload', { method: 'POST' }),
  );
}
