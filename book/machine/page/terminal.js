// A terminal of the machine on the page.

import { FitAddon } from './addon-fit.mjs';
import { Terminal as Xterm } from './xterm.mjs';

const rgb = color => color.match(/[\d.]+/g).map(Number);

/** The colours of the page's theme, as it is now. */
const theme = () => {
    const { color, backgroundColor } = getComputedStyle(document.body);
    // mdbook's themes put the colour of the page on <html>.
    const background = rgb(backgroundColor)[3] === 0
        ? getComputedStyle(document.documentElement).backgroundColor : backgroundColor;
    const selectionBackground = `rgba(${rgb(color).slice(0, 3).join(',')},0.25)`;
    return { background, foreground: color, cursor: color, cursorAccent: background, selectionBackground };
};

/** xterm.js, tied to one of the machine's terminals. */
export class Terminal {
    /**
     * @param {HTMLElement} place where it is shown
     * @param {string} label its name, for those who do not see it
     * @param {{ typed: (text: string) => void, resized: (columns: number, rows: number) => void, prompted: () => void }} to
     */
    constructor(place, label, to) {
        this.place = place;
        this.xterm = new Xterm({
            fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono-font') || 'monospace',
            fontSize: 13,
            // A colour that a program chose may not be legible on a light page.
            minimumContrastRatio: 4.5,
            scrollback: 5000,
            theme: theme(),
        });
        this.fit = new FitAddon();
        this.xterm.loadAddon(this.fit);
        this.xterm.open(place);
        this.xterm.textarea.setAttribute('aria-label', label);
        this.xterm.onData(to.typed);
        this.xterm.onResize(({ cols, rows }) => to.resized(cols, rows));
        // The shell's prompt says so, unseen: inside/bashrc. One that is only drawn
        // again, because the size has changed, says the same as before.
        this.xterm.parser.registerOscHandler(133, prompt => {
            if (prompt !== this.prompt) {
                this.prompt = prompt;
                to.prompted();
            }
            return true;
        });
        new ResizeObserver(() => this.fill()).observe(place);
        new MutationObserver(() => {
            this.xterm.options.theme = theme();
        }).observe(document.documentElement, { attributeFilter: ['class'] });
    }

    /** As many columns and rows as there is room for. */
    fill() {
        if (this.place.clientWidth > 0) {
            this.fit.fit();
        }
    }

    write(bytes) {
        this.xterm.write(bytes);
    }

    /** As if nothing had been printed: the machine starts over. */
    async clear() {
        // What was printed before is drawn piece by piece, and would come afterwards.
        await new Promise(resolve => this.xterm.write('', resolve));
        this.prompt = undefined;
        this.xterm.reset();
    }

    focus() {
        this.xterm.focus();
    }

    get size() {
        return [this.xterm.cols, this.xterm.rows];
    }

    /** All that it shows, lines that were wrapped made whole. */
    get text() {
        const { active } = this.xterm.buffer;
        let text = '';
        for (let at = 0; at < active.length; at += 1) {
            const line = active.getLine(at);
            text += (line.isWrapped || at === 0 ? '' : '\n') + line.translateToString(!active.getLine(at + 1)?.isWrapped);
        }
        return text.trimEnd();
    }
}
