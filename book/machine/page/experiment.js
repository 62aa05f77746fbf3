// The experiment of the introduction, done by the reader in two terminals: each step is acknowledged when the machine
// shows what it has done.

import { words } from './words.js';

const CONTAINERS = '/var/lib/mydocker/containers';
const MNT = `${CONTAINERS}/blog/mnt`;

const hosts = namespaces => namespaces[0].mounts;
const isOnHost = namespaces => hosts(namespaces).some(mount => mount.at === MNT);
const container = namespaces => namespaces.slice(1).find(
    ({ mounts }) => mounts.some(mount => mount.at === '/' && mount.type === 'overlay'));

/** Each step: where it is typed, what, and how the machine shows that it is done. */
const STEPS = [
    {
        terminal: 0,
        words: 'mydocker run -ti --name blog sh',
        isDone: namespaces => isOnHost(namespaces) && container(namespaces) !== undefined,
    },
    {
        terminal: 0,
        words: 'mkdir /root/studydocker',
        isDone: (namespaces, panel) => panel.exists(`${CONTAINERS}/blog/write-layer/root/studydocker`),
    },
    {
        terminal: 1,
        words: `ls ${MNT}/root`,
        isDone: (namespaces, panel) => isOnHost(namespaces) && /^studydocker$/m.test(panel.terminals[1].text),
    },
    {
        terminal: 0,
        words: 'exit',
        isDone: namespaces => !isOnHost(namespaces) && container(namespaces) === undefined,
    },
    {
        terminal: 1,
        words: `ls ${CONTAINERS}`,
        isDone: async (namespaces, panel) => panel.terminals[1].text.includes(`ls ${CONTAINERS}\n#`)
            && !await panel.exists(`${CONTAINERS}/blog`),
    },
];

/** A session for the panel: its commands, and how it goes on. */
export const experiment = () => ({
    before: [],
    commands: STEPS,
    withSecond: true,
    guide: new Guide(),
});

/** What is to be done now, and what has been seen. */
class Guide {
    constructor() {
        this.element = document.createElement('div');
        this.element.className = 'machine-guide';
        this.element.setAttribute('aria-live', 'polite');
    }

    begin() {
        this.at = 0;
        this.show();
    }

    show() {
        const lines = [];
        if (this.at > 0) {
            const done = document.createElement('p');
            done.className = 'done';
            done.textContent = `✓ ${words.experiment.seen[this.at - 1]}`;
            lines.push(done);
        }
        const step = STEPS[this.at];
        const now = document.createElement('p');
        if (step) {
            const command = document.createElement('code');
            command.textContent = step.words;
            now.append(words.experiment.step(this.at + 1, STEPS.length, step.terminal + 1), ' ', command);
        } else {
            now.textContent = words.experiment.end;
        }
        this.element.replaceChildren(...lines, now);
    }

    /** The mount tables have been read: whether the step is done. */
    async look(namespaces, panel) {
        const { at } = this;
        // One step for one look; another look may have been quicker.
        if (await STEPS[at]?.isDone(namespaces, panel) && this.at === at) {
            this.at += 1;
            this.show();
        }
    }
}
