// The machine: fetched in parts, brought to where it was saved, and talked to over its lines.

import { V86 } from './libv86.mjs';
import { hardware } from './hardware.js';

/** Where the page's questions go; the terminals are 0 and 1. */
const QUESTIONS = 2;
/** How many bytes a line takes at once, and how long it then needs. */
const CHUNK = 128;
const PAUSE = 15;

const here = name => new URL(name, import.meta.url);

/** What the machine consists of: `machine.json`, written when it was built. */
export const manifest = async () => (await fetched('machine.json')).json();

const fetched = async name => {
    const response = await fetch(here(name));
    if (!response.ok) {
        throw new Error(`${name}: ${response.status} ${response.statusText}`);
    }
    return response;
};

/** The program that runs the machine, compiled. */
export const fetchProgram = async () => WebAssembly.compile(await (await fetched('v86.wasm')).arrayBuffer());

/** The saved state, from its parts; `progress` is told how many bytes have come. */
export const fetchState = async ({ state, bytes }, progress) => {
    const whole = new Uint8Array(bytes);
    let come = 0;
    await Promise.all(state.map(async ({ name, at }) => {
        const reader = (await fetched(name)).body.getReader();
        for (let end = at; ;) {
            const { done, value } = await reader.read();
            if (done) {
                break;
            }
            whole.set(value, end);
            end += value.length;
            come += value.length;
            progress(come);
        }
    }));
    return whole.buffer;
};

/** A machine that goes on where it was saved. */
export class Machine {
    /**
     * @param {WebAssembly.Module} program what fetchProgram has brought
     * @param {ArrayBuffer} state what fetchState has brought
     */
    constructor(program, state) {
        this.state = state;
        this.queues = new Map();
        this.answered = Promise.resolve();
        this.v86 = new V86({
            ...hardware,
            wasm_fn: async imports => (await WebAssembly.instantiate(program, imports)).exports,
        });
        this.ready = new Promise(resolve => this.v86.add_listener('emulator-loaded', resolve));
        this.heard = '';
        this.decoder = new TextDecoder();
        this.v86.add_listener(`virtio-console${QUESTIONS}-output-bytes`, bytes => this.hear(bytes));
    }

    /** Lets it run from its saved state, also when it runs already. */
    async start() {
        await this.ready;
        await this.v86.stop();
        this.queues.clear();
        this.heard = '';
        this.answered = Promise.resolve();
        await this.v86.restore_state(this.state);
        await this.v86.run();
        await this.setClock();
    }

    setClock() {
        return this.ask(`time ${Math.floor(Date.now() / 1000)}`);
    }

    /** Ends it, and gives its memory back. */
    async end() {
        await this.ready;
        await this.v86.destroy();
    }

    /** `listener` gets what a terminal prints, as bytes. */
    onOutput(terminal, listener) {
        this.v86.add_listener(`virtio-console${terminal}-output-bytes`, listener);
    }

    resize(terminal, columns, rows) {
        // v86 sends the rows first. The standard has the columns first, and so has this kernel.
        this.v86.bus.send(`virtio-console${terminal}-resize`, [rows, columns]);
    }

    /** What is typed into a terminal. A long paste goes in small pieces, as the line takes them. */
    type(line, text) {
        const queue = this.queues.get(line) ?? [];
        const isIdle = queue.length === 0;
        queue.push(...new TextEncoder().encode(text));
        this.queues.set(line, queue);
        if (isIdle) {
            this.send(line, queue);
        }
    }

    send(line, queue) {
        // Another state has begun.
        if (this.queues.get(line) !== queue) {
            return;
        }
        const piece = queue.slice(0, CHUNK);
        this.v86.bus.send(`virtio-console${line}-input-bytes`, new Uint8Array(piece));
        setTimeout(() => {
            // More may have been typed meanwhile.
            queue.splice(0, piece.length);
            if (queue.length > 0) {
                this.send(line, queue);
            }
        }, PAUSE);
    }

    /** Asks what runs in the machine for the page (inside/agent), one question at a time; its answer's lines. */
    ask(question) {
        this.answered = this.answered.then(() => new Promise(resolve => {
            this.heard = '';
            this.answer = resolve;
            this.type(QUESTIONS, `${question}\n`);
        }));
        return this.answered;
    }

    hear(bytes) {
        this.heard += this.decoder.decode(bytes, { stream: true });
        if (this.heard === '.\n' || this.heard.endsWith('\n.\n')) {
            const lines = this.heard.split('\n').slice(0, -2);
            this.heard = '';
            this.answer?.(lines);
        }
    }
}
