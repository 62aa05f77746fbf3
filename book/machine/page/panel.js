// The panel at the foot of the page: two terminals, and the mount tables beside them.

import { Machine, fetchProgram, fetchState, manifest } from './machine.js';
import { MountTables, parseNamespaces } from './mounts.js';
import { Terminal } from './terminal.js';
import { words } from './words.js';

/** How long the terminals must have been quiet before the mount tables are read again. */
const QUIET = 400;
/** How long an answer may take before the reader is told. */
const SILENCE = 20_000;
/** The session of a closed panel. */
const NONE = { before: [], commands: [] };

const button = (text, press) => {
    const made = document.createElement('button');
    made.type = 'button';
    made.textContent = text;
    made.addEventListener('click', press);
    return made;
};

const box = className => {
    const made = document.createElement('div');
    made.className = className;
    return made;
};

export class Panel {
    constructor() {
        this.take(NONE);
        this.build();
    }

    build() {
        this.element = document.createElement('section');
        this.element.className = 'machine player';
        this.element.setAttribute('aria-label', words.title);
        // mdbook has keys of its own: arrows, s, ?
        this.element.addEventListener('keydown', event => event.stopPropagation());
        this.element.panel = this;

        this.status = document.createElement('output');
        this.progress = document.createElement('progress');
        this.next = button(words.next, () => this.typeNext());
        this.second = button(words.second, () => this.show('second', !this.shows('second')));
        this.tablesShown = button(words.tables, () => this.show('tables', !this.shows('tables')));
        this.over = button(words.startOver, () => this.startOver());
        const close = button('×', () => this.close());
        close.setAttribute('aria-label', words.close);
        close.title = words.close;
        const bar = box('machine-bar');
        bar.append(this.status, this.progress, this.next, this.second, this.tablesShown, this.over, close);

        this.places = [box('machine-terminal'), box('machine-terminal machine-second')];
        this.places.forEach((place, index) => {
            place.setAttribute('role', 'group');
            place.setAttribute('aria-label', words.terminal(index + 1));
        });
        this.guide = box('machine-guides');
        this.tables = box('machine-tables');
        this.tables.tabIndex = 0;
        this.tables.setAttribute('role', 'region');
        this.tables.setAttribute('aria-label', words.tables);
        const main = box('machine-main');
        main.append(...this.places, this.tables);
        this.carried = document.createElement('details');
        this.element.append(bar, this.guide, main, this.carried);
        this.show('second', false);
        // On a phone there is room for one of them.
        this.show('tables', window.innerWidth >= 700);
        document.body.append(this.element);
    }

    shows(name) {
        return this.element.classList.contains(`with-${name}`);
    }

    show(name, isShown) {
        this.element.classList.toggle(`with-${name}`, isShown);
        const shown = { second: this.second, tables: this.tablesShown }[name];
        shown.setAttribute('aria-pressed', isShown);
    }

    say(text, isBad = false) {
        this.status.textContent = text;
        this.element.classList.toggle('is-bad', isBad);
    }

    /**
     * Opens for a session: `before` are the commands that come before it on its page, `commands` its own, each with the
     * terminal that it is typed into. Some have a guide, and need the second terminal (`withSecond`).
     */
    async open(session) {
        this.take(session);
        this.guide.replaceChildren(...(session.guide ? [session.guide.element] : []));
        if (session.withSecond) {
            this.show('second', true);
        }
        document.body.classList.add('has-machine');
        this.element.hidden = false;
        this.setBusy(true);
        // While this waits, the reader may close the panel or open another session.
        const isWanted = () => this.session === session;
        try {
            this.loaded ??= this.load();
            const loaded = await this.loaded;
            if (isWanted()) {
                this.say(words.starting);
                this.machine ??= this.make(loaded);
                await this.machine.start();
            }
            if (isWanted()) {
                await this.ready(isWanted);
            }
        } catch (error) {
            if (isWanted()) {
                this.say(words.failed(error.message), true);
            }
        } finally {
            if (isWanted()) {
                this.setBusy(false);
            }
        }
    }

    /** From now on the panel is for this session. What another one waits for does not come any more. */
    take(session) {
        this.session = session;
        this.waiting = [[], []];
        clearTimeout(this.reading);
        clearTimeout(this.silence);
    }

    setBusy(isBusy) {
        this.element.setAttribute('aria-busy', isBusy);
        for (const control of [this.next, this.over]) {
            control.disabled = isBusy;
        }
    }

    /** Fetches what the machine consists of. If that fails, it can be tried again. */
    async load() {
        try {
            const told = await manifest();
            this.tell(told);
            const megabytes = bytes => (bytes / 1e6).toFixed(1);
            this.progress.hidden = false;
            this.progress.max = told.bytes;
            return await Promise.all([fetchProgram(), fetchState(told, come => {
                this.progress.value = come;
                this.say(words.loading(megabytes(come), megabytes(told.bytes)));
            })]);
        } catch (error) {
            this.loaded = undefined;
            throw error;
        } finally {
            this.progress.hidden = true;
        }
    }

    /** A machine behind the terminals. */
    make([program, state]) {
        const machine = new Machine(program, state);
        // They outlive the machine, and serve the next one too.
        this.terminals ??= this.places.map((place, index) => this.terminal(place, index));
        this.mounts ??= new MountTables(this.tables, words);
        this.terminals.forEach((terminal, index) => machine.onOutput(index, bytes => {
            terminal.write(bytes);
            this.readSoon();
        }));
        return machine;
    }

    terminal(place, index) {
        return new Terminal(place, words.terminal(index + 1), {
            typed: text => {
                if (text.includes('\r')) {
                    this.mounts.mark();
                }
                this.machine?.type(index, text);
            },
            resized: (columns, rows) => this.machine?.resize(index, columns, rows),
            prompted: () => this.prompted(index),
        });
    }

    /** From the saved state to that in which the session begins. */
    async ready(isWanted) {
        this.pending = undefined;
        this.mounts.clear();
        await Promise.all(this.terminals.map(async (terminal, index) => {
            await terminal.clear();
            terminal.fill();
            this.machine?.resize(index, ...terminal.size);
        }));
        if (!isWanted()) {
            return;
        }
        // Ctrl-L: the shell shows its prompt once more.
        await Promise.all([0, 1].map(index => this.typedInto(index, '\f')));
        this.say(words.typing);
        for (const command of this.session.before) {
            await this.typed(command);
        }
        this.upTo = 0;
        this.say(words.ready);
        await (this.pending = this.read());
        this.mounts.mark();
        this.offerNext();
        this.session.guide?.begin();
        // A phone would cover half of it with its keyboard.
        if (matchMedia('(pointer: fine)').matches) {
            this.terminals[0].focus();
        }
    }

    async startOver() {
        await this.open(this.session);
    }

    /** Types a command, and waits for the prompt after it. */
    typed({ terminal, words: command }) {
        return this.typedInto(terminal, `${command.replaceAll('\n', '\r')}\r`);
    }

    typedInto(index, text) {
        const prompted = new Promise(resolve => {
            this.waiting[index].push(resolve);
        });
        this.mounts.mark();
        this.machine.type(index, text);
        return prompted;
    }

    /** Whether what was last typed for the reader has ended. */
    isAtPrompt(index) {
        return this.waiting[index].length === 0;
    }

    prompted(index) {
        this.waiting[index].splice(0).forEach(resolve => resolve());
    }

    offerNext() {
        const next = this.session.commands[this.upTo];
        this.next.hidden = next === undefined;
        this.next.title = next?.words ?? '';
    }

    async typeNext() {
        const command = this.session.commands[this.upTo];
        this.upTo += 1;
        this.offerNext();
        this.terminals[command.terminal].focus();
        await this.typed(command);
    }

    /** Reads the mount tables when the terminals are quiet. */
    readSoon() {
        clearTimeout(this.reading);
        this.reading = setTimeout(async () => {
            // One at a time: a busy machine answers late. One that has failed has said so.
            await Promise.allSettled([this.pending]);
            this.pending = this.read();
        }, QUIET);
    }

    async read() {
        // The panel was closed meanwhile.
        if (!this.machine) {
            return;
        }
        // What answers can be killed by the reader, who is root.
        clearTimeout(this.silence);
        this.silence = setTimeout(() => this.say(words.silent, true), SILENCE);
        const namespaces = parseNamespaces(await this.machine.ask('mounts'));
        clearTimeout(this.silence);
        if (this.element.classList.contains('is-bad')) {
            this.say(words.ready);
        }
        this.mounts.draw(namespaces);
        await this.session.guide?.look(namespaces, this);
    }

    /** Whether there is such a file, as the host sees it. */
    async exists(path) {
        const [answer] = await this.machine.ask(`exists ${path}`);
        return answer === 'yes';
    }

    /** What the machine is made of. */
    tell({ carried, texts }) {
        const summary = document.createElement('summary');
        summary.textContent = words.carried;
        const table = document.createElement('table');
        const row = (name, cells) => {
            const made = table.insertRow();
            for (const content of cells) {
                const cell = document.createElement(name);
                cell.append(content);
                made.append(cell);
            }
        };
        const link = (href, text) => {
            const made = document.createElement('a');
            made.href = new URL(href, import.meta.url);
            made.textContent = text;
            return made;
        };
        row('th', [words.name, words.version, words.licence, words.source]);
        for (const { name, version, licence, text, source } of carried) {
            row('td', [name, version, link(text, licence), source ? link(source, source) : words.here]);
        }
        const full = document.createElement('p');
        full.append(words.texts, ...texts.flatMap(({ name, text }) => [' ', link(text, name)]));
        this.carried.replaceChildren(summary, table, full);
    }

    /** Closes the panel; the machine is gone. */
    async close() {
        this.take(NONE);
        this.element.hidden = true;
        document.body.classList.remove('has-machine');
        const { machine } = this;
        this.machine = undefined;
        await machine?.end();
    }
}
