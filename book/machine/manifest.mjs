// Writes machine.json: the parts of the state, what the machine carries, and the licences of that.
//
//   node manifest.mjs OUT PACKAGES CARRIED
//
// OUT holds the parts. PACKAGES is a folder of book/machine/packages. CARRIED lists what is taken from it.

import { copyFileSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';

const [out, packages, carriedList] = process.argv.slice(2);
const here = import.meta.dirname;

let bytes = 0;
const state = readdirSync(out).filter(name => name.startsWith('state-')).sort().map(name => {
    const at = bytes;
    bytes += statSync(join(out, name)).size;
    return { name, at };
});

/** The licences of Debian's source packages, as their copyright files tell them. */
const licences = JSON.parse(readFileSync(join(here, 'licences.json'), 'utf8'));

const debian = new Map();
const mentioned = new Set();
for (const line of readFileSync(carriedList, 'utf8').trim().split('\n')) {
    let [name, packaged, source, version] = line.split(' ');
    // The kernel's package is of a source that only adds Secure Boot's signature.
    if (source.startsWith('linux-signed')) {
        [source, version] = ['linux', packaged];
    }
    if (debian.has(source)) {
        continue;
    }
    if (!licences[source]) {
        throw new Error(`${source} is carried, and book/machine/licences.json does not say under which licence`);
    }
    const text = `licences/${source}.txt`;
    const copyright = readFileSync(join(packages, 'files/usr/share/doc', name, 'copyright'), 'utf8');
    writeFileSync(join(out, text), copyright);
    for (const [, common] of copyright.matchAll(/common-licenses\/([\w.-]*\w)/g)) {
        mentioned.add(common);
    }
    const where = `https://snapshot.debian.org/package/${source}/${encodeURIComponent(version)}/`;
    debian.set(source, { name: source, version, licence: licences[source], text, source: where });
}

// Debian's copyright files do not repeat the texts that many packages share.
const texts = [...mentioned].sort().map(name => {
    const text = `licences/common-${name}.txt`;
    copyFileSync(join(packages, 'files/usr/share/common-licenses', name), join(out, text));
    return { name, text };
});

const npm = [['v86', 'LICENSE', 'https://github.com/copy/v86'],
    ['@xterm/xterm', 'LICENSE', 'https://github.com/xtermjs/xterm.js'],
    ['@xterm/addon-fit', 'LICENSE', 'https://github.com/xtermjs/xterm.js']].map(([name, file, source]) => {
    const folder = join(here, 'node_modules', name);
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const text = `licences/${name.replace('@', '').replace('/', '-')}.txt`;
    copyFileSync(join(folder, file), join(out, text));
    return { name, version, licence: license, text, source };
});

// Ours, and the crates that are linked into it.
const cargo = (...words) => execFileSync('cargo', words, { cwd: here, encoding: 'utf8' });
const crates = cargo('tree', '--package', 'mydocker', '--edges', 'normal', '--prefix', 'none', '--no-dedupe',
    '--target', 'i686-unknown-linux-gnu', '--format', '{p}: {l}');
const list = [...new Set(crates.trim().split('\n').map(line => line.replace(/ \(.*?\)/, '')))];
writeFileSync(join(out, 'licences/mydocker.txt'), [
    'mydocker and the crates in it, each with its licence.',
    'Their sources are in cargo\'s registry, by these names and versions.',
    'Rust\'s standard library is in it too: MIT OR Apache-2.0, https://github.com/rust-lang/rust.',
    '',
    ...list,
    '',
    ...['MIT', 'APACHE'].map(name => readFileSync(join(here, `../../LICENSE-${name}`), 'utf8')),
].join('\n'));
// Its source is this book's own.
const ours = {
    name: 'mydocker',
    version: list[0].split(' ')[1].replace(/^v|:$/g, ''),
    licence: 'MIT OR Apache-2.0',
    text: 'licences/mydocker.txt',
    source: '',
};

const carried = [...debian.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).concat(npm, ours);
writeFileSync(join(out, 'machine.json'), JSON.stringify({ state, bytes, carried, texts }, null, 1));
