// Boots the machine once, and saves its state when it is ready.
//
//   node save.mjs FILES STATE      FILES holds bios.bin, vgabios-stdvga.bin, vmlinuz, initrd

import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { V86 } from 'v86';
import { hardware } from './hardware.js';

const [files, out] = process.argv.slice(2);
const wasm = join(dirname(createRequire(import.meta.url).resolve('v86')), 'v86.wasm');
const file = async name => ({ buffer: (await readFile(join(files, name))).buffer });

const started = Date.now();
const machine = new V86({
    ...hardware,
    wasm_path: wasm,
    bios: await file('bios.bin'),
    vga_bios: await file('vgabios-stdvga.bin'),
    bzimage: await file('vmlinuz'),
    initrd: await file('initrd'),
    // Freed memory is zero, and is not in the state. What mitigates the faults of real processors costs
    // time; no other program is in this one.
    cmdline: 'console=ttyS0 quiet init_on_free=1 mitigations=off nowatchdog tsc=reliable random.trust_cpu=on',
    autostart: true,
});

const said = new Map();
const hear = (line, text) => said.set(line, (said.get(line) ?? '') + text);
machine.add_listener('serial0-output-byte', byte => hear('kernel', String.fromCharCode(byte)));
for (const port of [0, 1, 2]) {
    machine.add_listener(`virtio-console${port}-output-bytes`, bytes => hear(port, new TextDecoder().decode(bytes)));
}

/** Until something has been said; when that takes too long, or cannot come any more, tells what has been. */
const until = async (what, isSo) => {
    const limit = Date.now() + 600_000;
    while (!isSo()) {
        if (Date.now() > limit || said.get('kernel')?.includes('end Kernel panic')) {
            for (const [line, text] of said) {
                console.error(`-- ${line}\n${text.slice(-5000)}`);
            }
            console.error(`scripts/book machine: ${what} has not come; above is what the machine has said`);
            process.exit(1);
        }
        await new Promise(resolve => setTimeout(resolve, 100));
    }
};
await until('the prompt of both terminals', () => [0, 1].every(port => said.get(port)?.endsWith('# ')));
await until('the line for the page', () => said.get(2)?.includes('ready'));
await machine.stop();
const state = await machine.save_state();
await writeFile(out, new Uint8Array(state));
console.error(`booted and saved in ${Math.round((Date.now() - started) / 1000)} s`);
process.exit(0);
