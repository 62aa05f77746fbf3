// Puts a button at each of the page's sessions of root. Without this script, or when what it needs is not there,
// the page is as it is.

import { words } from './words.js';

/** The panel is loaded when it is first wanted: it brings half a megabyte of programs. */
let panel;
const load = async () => {
    try {
        const { Panel } = await import('./panel.js');
        return new Panel();
    } catch (error) {
        panel = undefined;
        throw error;
    }
};

const open = async session => {
    panel ??= load();
    await (await panel).open(session);
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
    button.addEventListener('click', async () => {
        try {
            await open(await session());
        } catch (error) {
            // A script of the machine has not come: there is no panel yet that could tell.
            button.textContent = words.failed(error.message);
        }
    });
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
