// Puts a button at each of the page's sessions of root. Without this script, or when what it needs is not there,
// the page is as it is.

import { words } from './words.js';

let panel;

/** The panel is loaded when it is first wanted: it brings half a megabyte of programs. */
const open = async session => {
    const { Panel } = await import('./panel.js');
    panel ??= new Panel();
    await panel.open(session);
};

const sessions = [...document.querySelectorAll('.session[data-commands]')].map(place => ({
    place,
    commands: JSON.parse(place.dataset.commands).map(command => ({ terminal: 0, words: command.words })),
}));

const offer = (place, text, session) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'try-it';
    button.textContent = text;
    button.title = words.tryItWhy;
    button.addEventListener('click', async () => open(await session()));
    place.append(button);
    place.hidden = false;
};

sessions.forEach(({ place, commands }, index) => {
    const before = sessions.slice(0, index).flatMap(it => it.commands);
    offer(place, words.tryIt, () => ({ before, commands }));
});

for (const place of document.querySelectorAll('.experiment')) {
    offer(place, words.experiment.begin, async () => (await import('./experiment.js')).experiment());
}
