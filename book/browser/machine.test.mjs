// The machine in the page, as a reader meets it: the sessions of the chapters are typed into it, and must print what
// the page shows.
//
// MACHINE_CHAPTERS names the chapters, else all of them are tried.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { comparable } from './comparable.mjs';
import { browse, open, serve } from './book.mjs';

const isBuilt = existsSync(new URL('../../target/machine/machine.json', import.meta.url));
const skip = isBuilt ? false : 'ignored: the machine is not built here: scripts/book machine';

const brief = process.env.MACHINE_CHAPTERS ? 'ignored: it takes long, and runs with scripts/book test --machine' : false;

/** All pages with a session of root. */
const source = new URL('../src/', import.meta.url);
const chapters = readdirSync(source, { recursive: true })
    .filter(name => name.endsWith('.md') && readFileSync(new URL(name, source), 'utf8').includes('<!-- session: root -->'))
    .map(name => name.replace('.md', '')).sort();
const wanted = process.env.MACHINE_CHAPTERS?.split(' ') ?? chapters;

/** How long a step of the machine may take; a busy computer needs more. */
const patience = 60_000 * Number(process.env.LABKIT_SLOWNESS ?? 1);

/** What this machine prints otherwise than the one on which the sessions were recorded, and why. */
const KNOWN = [
    {
        why: 'the sessions were recorded without a terminal; on one, ls writes columns',
        of: /(^|; )ls( -A)?( [^-]|$)/,
        same: printed => printed.trim().replace(/\s+/g, '\n'),
    },
    {
        why: 'a 32-bit kernel has PIDs of five digits at most, and an emulated processor takes its time',
        of: /ps -e/,
        same: printed => printed.replace(/^ +/gm, '').replace(/\d\d:\d\d:\d\d/g, 'TIME'),
    },
    {
        why: 'ps shows the terminal; the sessions were recorded without one',
        of: /ps -e/,
        same: printed => printed.replace(/\bhvc0 {4}/g, '?       '),
    },
    {
        why: 'on a terminal, the commands of a pipe are a job: timeout ends them all, and the shell says so',
        of: /^timeout/,
        same: printed => printed.replace(/^Terminated\n/, ''),
    },
    {
        why: 'a shell on a terminal says that it ends',
        of: /^exit$/,
        same: printed => printed.replace(/^(exit|logout)\n/, ''),
    },
];

let server;
let browser;
let address;

before(async () => {
    if (isBuilt) {
        server = await serve();
        address = server.address;
        browser = await browse();
    }
});

after(async () => {
    await browser?.close();
    await server?.stop();
});

/** Opens a page, and the machine by one of its buttons. */
const start = async (path, button, options) => {
    const opened = await open(browser, options);
    const { page } = opened;
    page.setDefaultTimeout(patience);
    await page.goto(address + path);
    await button(page).click();
    await ready(page);
    return opened;
};

const ready = page => page.locator('.machine[aria-busy="false"]').waitFor();

const tryIt = index => page => page.locator('.session[data-commands] .try-it').nth(index);

/** What a terminal shows. */
const text = (page, terminal = 0) =>
    page.evaluate(index => document.querySelector('.machine').panel.terminals[index].text, terminal);

/** Until a terminal shows it. */
const shows = async (page, pattern, terminal = 0) => {
    await page.waitForFunction(([source, index]) =>
        new RegExp(source, 'm').test(document.querySelector('.machine').panel.terminals[index].text),
    [pattern.source, terminal]);
};

/** Types a line, as a reader does. */
const type = async (page, line, terminal = 0) => {
    await page.locator('.machine-terminal').nth(terminal).click();
    await page.keyboard.type(line);
    await page.keyboard.press('Enter');
};

/** What each command has printed, read from the whole of the terminal. */
const printed = (shown, commands) => {
    let rest = `\n${shown}`;
    return commands.map(({ words }) => {
        // The shell asks for more lines with another prompt.
        const typed = `\n# ${words.replaceAll('\n', '\n> ')}`;
        const at = rest.indexOf(typed);
        assert.ok(at >= 0, `${typed}\nwas not typed:\n${shown}`);
        rest = rest.slice(at + typed.length);
        const end = rest.search(/\n#( |$)/);
        return rest.slice(1, end < 0 ? undefined : end + 1);
    });
};

for (const chapter of wanted) {
    test(`the sessions of ${chapter} print what the page shows`, { skip }, async () => {
        const { page, troubles, close } = await open(browser);
        page.setDefaultTimeout(patience);
        await page.goto(`${address}${chapter}.html`);
        const blocks = await page.locator('.session[data-commands]').evaluateAll(
            places => places.map(place => ({ who: place.dataset.who, commands: JSON.parse(place.dataset.commands) })));
        assert.ok(blocks.length > 0);
        // The last button types all that comes before it.
        await tryIt(blocks.length - 1)(page).click();
        await ready(page);
        const next = page.getByRole('button', { name: 'Type the next command' });
        for (let left = blocks.at(-1).commands.length; left > 0; left -= 1) {
            const before = (await text(page)).length;
            await next.click();
            // It is typed, and then it has ended: just after the click it is neither.
            await page.waitForFunction(length => {
                const { panel } = document.querySelector('.machine');
                return panel.terminals[0].text.length > length && panel.isAtPrompt(0);
            }, before);
        }
        const commands = blocks.flatMap(({ who, commands }) => commands.map(command => ({ who, ...command })));
        const seen = printed(await text(page), commands);
        commands.forEach(({ who, words, shown }, index) => {
            if (who === 'root') {
                const known = KNOWN.filter(({ of }) => of.test(words));
                const same = printed => comparable(known.reduce((text, { same }) => same(text), printed));
                assert.equal(same(seen[index]), same(shown), words);
            }
        });
        assert.deepEqual(troubles, []);
        await close();
    });
}

test('from the click to the prompt', { skip }, async () => {
    const { page, troubles, close } = await open(browser);
    page.setDefaultTimeout(patience);
    await page.goto(`${address}06-pivot-root.html`);
    const began = Date.now();
    await tryIt(0)(page).click();
    await ready(page);
    const seconds = (Date.now() - began) / 1000;
    const bytes = await page.evaluate(() => performance.getEntriesByType('resource')
        .filter(({ name }) => name.includes('/machine/')).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0));
    const tab = await memory();
    console.log(`from click to prompt: ${seconds.toFixed(1)} s; ${(bytes / 1e6).toFixed(1)} MB transferred; `
        + `the tab has ${tab} MB of memory`);
    assert.deepEqual(troubles, []);
    await close();
});

/** The largest renderer's share of memory, in MB. */
const memory = async () => {
    const session = await browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    const sizes = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => {
        const shares = readFileSync(`/proc/${id}/smaps_rollup`, 'utf8');
        return Number(/^Pss: +(\d+)/m.exec(shares)[1]) / 1024;
    });
    return Math.round(Math.max(...sizes));
};

test('keys, a second terminal, the mount tables, and starting over', { skip: skip || brief }, async () => {
    const { page, troubles, close } = await start('06-pivot-root.html', tryIt(0));
    await type(page, 'mkdir /tmp/new; mount -t tmpfs mine /tmp/new');
    await page.locator('.machine-tables .mounted .at', { hasText: '/tmp/new' }).waitFor();

    await page.getByRole('button', { name: 'Second terminal' }).click();
    await type(page, 'findmnt -n /tmp/new', 1);
    await shows(page, /\/tmp\/new +mine +tmpfs/, 1);
    // What changed, changed by the command before.
    await page.locator('.machine-tables .mounted').waitFor({ state: 'detached' });

    await type(page, 'unshare --mount sh -c "umount /tmp/new; sleep 1000"', 1);
    await page.locator('.machine-tables .whose', { hasText: /^The mount table of sh, PID \d+$/ }).waitFor();
    assert.equal(await page.locator('.machine-tables .table').count(), 2);
    await page.keyboard.press('Control+c');
    await page.waitForFunction(() => document.querySelectorAll('.machine-tables .table').length === 1);

    await page.getByRole('button', { name: 'Start over' }).click();
    await ready(page);
    await type(page, 'ls -d /tmp/*');
    await shows(page, /No such file/);
    assert.equal(page.url(), `${address}06-pivot-root.html`, 'the keys of the book are not those of the terminal');
    assert.deepEqual(troubles, []);
    await close();
});

test('the mount tables can be read while they change', { skip: skip || brief }, async () => {
    const { page, troubles, close } = await start('06-pivot-root.html', tryIt(0));
    // The oldest goes, and all that follow it move up.
    await type(page, 'while :; do for at in /mnt /home /var/log /usr/local; do umount $at; mount -t tmpfs on$at $at; done; done 2>/dev/null');
    const tables = await page.evaluate(async () => {
        const { panel } = document.querySelector('.machine');
        const tables = [];
        for (let reading = 0; reading < 30; reading += 1) {
            await panel.read();
            tables.push([...document.querySelectorAll('.machine-tables .mount:not(.unmounted) .at')].map(it => it.innerText));
        }
        return tables;
    });
    const always = ['/', '/dev', '/dev/pts', '/dev/shm', '/proc', '/sys', '/sys/fs/cgroup'];
    const sometimes = ['/home', '/mnt', '/usr/local', '/var/log'];
    for (const table of tables) {
        assert.deepEqual(table.filter(at => !sometimes.includes(at)).sort(), always);
    }
    await page.keyboard.press('Control+c');
    assert.deepEqual(troubles, []);
    await close();
});

test('another session may be opened at any time, and the panel closed', { skip }, async () => {
    const { page, troubles, close } = await open(browser);
    page.setDefaultTimeout(patience);
    await page.goto(`${address}06-pivot-root.html`);
    // All in one moment, quicker than any reader.
    const press = (...indices) => page.locator('.session[data-commands] .try-it').evaluateAll(
        (buttons, indices) => indices.forEach(index => buttons[index].click()), indices);
    const [first] = await tryIt(0)(page).evaluate(button => JSON.parse(button.parentElement.dataset.commands));

    // What is wanted last is what is there, and once.
    await press(0, 1);
    await ready(page);
    assert.equal((await text(page)).split(first.words).length, 2, await text(page));
    // Nothing has been typed into the second terminal meanwhile: its prompt looks the same.
    await page.getByRole('button', { name: 'Start over' }).click();
    await ready(page);

    await press(0);
    await page.getByRole('button', { name: 'Close' }).click();
    await page.locator('.machine').waitFor({ state: 'hidden' });
    await press(0);
    await ready(page);
    assert.equal(await text(page), '#');
    assert.deepEqual(troubles, []);
    await close();
});

test('what is pasted runs line by line', { skip }, async () => {
    const { page, close } = await start('05-rootfs.html', tryIt(0));
    const lines = Array.from({ length: 40 }, (_, index) => `echo "this is line ${index}" >>pasted`);
    await page.locator('.machine-terminal').first().click();
    await page.evaluate(pasted => {
        const data = new DataTransfer();
        data.setData('text/plain', pasted);
        const paste = new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
        document.activeElement.dispatchEvent(paste);
    }, `${lines.join('\n')}\n`);
    // What comes while a command runs is echoed among what it prints: the file tells.
    await page.waitForFunction(() => document.querySelector('.machine').panel.terminals[0].text.includes('line 39"'));
    await type(page, 'clear; uniq pasted | grep -c "^this is line [0-9]*$"; tail -n 1 pasted');
    await shows(page, /^40\nthis is line 39$/);
    await close();
});

test('the experiment of the introduction, in both languages', { skip }, async () => {
    const editions = { '': /Step (\d)/, 'zh-CN/': /第 (\d) 步/ };
    for (const [edition, step] of Object.entries(editions)) {
        const { page, troubles, close } = await start(`${edition}introduction.html`,
            page => page.locator('.experiment .try-it'));
        const guide = page.locator('.machine-guide');
        for (let number = 1; number <= 5; number += 1) {
            assert.equal(step.exec(await guide.innerText())[1], String(number));
            const command = await guide.locator('code').innerText();
            await type(page, command, number === 3 || number === 5 ? 1 : 0);
            const done = guide.locator('.done');
            await page.waitForFunction(([source, number]) => {
                const now = document.querySelector('.machine-guide').innerText;
                return !now.includes(`${source} ${number}`);
            }, [edition === '' ? 'Step' : '第', number]);
            assert.match(await done.innerText(), /^✓/);
        }
        assert.equal(await guide.locator('code').count(), 0, 'it has ended');
        assert.deepEqual(troubles, []);
        await close();
    }
});

test('on a phone and on a dark page, all can be reached and read', { skip }, async () => {
    const { page, troubles, close } = await open(browser, { viewport: { width: 360, height: 740 } });
    page.setDefaultTimeout(patience);
    await page.addInitScript(() => localStorage.setItem('mdbook-theme', 'navy'));
    await page.goto(`${address}zh-CN/06-pivot-root.html`);
    await tryIt(0)(page).click();
    await ready(page);
    for (const name of ['输入下一条命令', '第二个终端', '挂载表', '重新开始', '关闭']) {
        const box = await page.getByRole('button', { name, exact: true }).boundingBox();
        assert.ok(box.x >= 0 && box.x + box.width <= 360, name);
    }
    assert.ok(await page.evaluate(() => document.scrollingElement.scrollWidth) <= 360);
    const colour = await page.locator('.xterm-scrollable-element').first().evaluate(it => getComputedStyle(it).backgroundColor);
    assert.equal(colour, await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor));
    await page.getByRole('button', { name: '关闭' }).click();
    await page.locator('.machine').waitFor({ state: 'hidden' });
    assert.deepEqual(troubles, []);
    await close();
});

test('what it carries is named, with its licence and its source', { skip }, async () => {
    const { page, close } = await start('06-pivot-root.html', tryIt(0));
    await page.getByText('What runs here, its licences and its source').click();
    const rows = page.locator('.machine details tr');
    const linux = await rows.filter({ hasText: /^linux/ }).innerText();
    assert.match(linux, /GPL-2.0\s+https:\/\/snapshot\.debian\.org\/package\/linux\/6\.1\./);
    for (const link of await rows.locator('a[href*="/licences/"]').evaluateAll(links => links.map(it => it.href))) {
        assert.equal((await page.request.get(link)).status(), 200, link);
    }
    await close();
});

test('without JavaScript there is no button, and the page is as it is', { skip }, async () => {
    const { page, close } = await open(browser, { javaScriptEnabled: false });
    await page.goto(`${address}06-pivot-root.html`);
    assert.equal(await page.locator('.session:visible').count(), 0);
    await close();
});

test('a file of the machine that does not come is named, and can come later', { skip }, async () => {
    const { page, close } = await open(browser);
    page.setDefaultTimeout(patience);
    for (const name of ['libv86.mjs', 'v86.wasm', 'state-*']) {
        await page.route(`**/machine/${name}`, route => route.abort());
    }
    await page.goto(`${address}06-pivot-root.html`);
    await tryIt(0)(page).click();
    await page.getByRole('button', { name: 'The machine did not start' }).waitFor();

    await page.unroute('**/machine/libv86.mjs');
    await page.reload();
    await tryIt(0)(page).click();
    await page.locator('.machine.is-bad', { hasText: 'The machine did not start' }).waitFor();
    await page.unrouteAll();
    await page.getByRole('button', { name: 'Start over' }).click();
    await page.locator('.machine output', { hasText: 'Ready' }).waitFor();
    await close();
});

test('without the machine\'s files the page is as it is', { skip }, async () => {
    const { page, close } = await open(browser);
    await page.route('**/machine/**', route => route.abort());
    await page.goto(`${address}06-pivot-root.html`, { waitUntil: 'networkidle' });
    assert.equal(await page.locator('.session:visible').count(), 0);
    await close();
});
