import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browse, open, pages, serve } from './book.mjs';

let server;
let browser;
let address;

before(async () => {
    server = await serve();
    address = server.address;
    browser = await browse();
});

after(async () => {
    await browser?.close();
    await server?.stop();
});

const editions = ['', 'zh-CN/'];

test('every page opens without an error, in both editions', async () => {
    for (const edition of editions) {
        const { page, troubles, close } = await open(browser);
        const all = await pages(browser, address + edition);
        assert.ok(all.length >= 20, `${all.length} pages`);
        for (const url of all) {
            await page.goto(url);
        }
        assert.deepEqual(troubles, []);
        await close();
    }
});

test('no page is wider than a phone', async () => {
    for (const edition of editions) {
        const { page, close } = await open(browser, { viewport: { width: 360, height: 740 } });
        for (const url of await pages(browser, address + edition)) {
            await page.goto(url);
            const wide = await page.evaluate(() => {
                const width = document.documentElement.clientWidth;
                const scrolls = element => {
                    const { overflowX } = getComputedStyle(element);
                    return overflowX === 'auto' || overflowX === 'scroll' || overflowX === 'hidden';
                };
                const isInside = element => {
                    for (let at = element.parentElement; at; at = at.parentElement) {
                        if (scrolls(at)) {
                            return true;
                        }
                    }
                    return false;
                };
                const main = document.querySelectorAll('main *');
                return [...main].filter(element => element.getBoundingClientRect().right > width + 1
                    && !isInside(element)).map(element => element.outerHTML.slice(0, 120));
            });
            assert.deepEqual(wide, [], url);
            const width = await page.evaluate(() => document.scrollingElement.scrollWidth);
            assert.ok(width <= 360, `${url} is ${width} pixels wide`);
        }
        await close();
    }
});

test('chapters follow each other, by link, by key and in the table of contents', async () => {
    const { page, troubles, close } = await open(browser);
    await page.goto(`${address}05-rootfs.html`);
    await page.locator('a[rel~="next"]:visible').click();
    await page.waitForURL('**/06-pivot-root.html');
    await page.keyboard.press('ArrowRight');
    await page.waitForURL('**/07-layers.html');
    await page.locator('#mdbook-sidebar a[href$="reference/glossary.html"]').click();
    await page.waitForURL('**/reference/glossary.html');
    assert.deepEqual(troubles, []);
    await close();
});

test('the switch of the language keeps the page and the place', async () => {
    const { page, close } = await open(browser);
    await page.goto(`${address}reference/glossary.html`);
    await page.locator('a.other-language').click();
    await page.waitForURL('**/zh-CN/reference/glossary.html');
    assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN');

    await page.goto(`${address}zh-CN/06-pivot-root.html#the-idea`);
    await page.locator('a.other-language').click();
    await page.waitForURL(`${address}06-pivot-root.html#the-idea`);
    assert.equal(await page.locator('html').getAttribute('lang'), 'en');
    await close();
});

test('every page has the switch', async () => {
    for (const edition of editions) {
        const { page, close } = await open(browser);
        for (const url of await pages(browser, address + edition)) {
            await page.goto(url);
            assert.equal(await page.locator('a.other-language').count(), 1, url);
        }
        await close();
    }
});

test('the player goes by mouse', async () => {
    const { page, troubles, close } = await open(browser);
    await page.goto(`${address}06-pivot-root.html`);
    const player = page.locator('#player-pivot');
    const shown = player.locator('.step:visible');
    assert.equal(await shown.count(), 1);
    assert.equal(await player.locator('output').innerText(), 'Step 1 of 5');
    await player.getByRole('button', { name: 'Next step' }).click();
    assert.equal(await player.locator('output').innerText(), 'Step 2 of 5');
    await player.getByRole('button', { name: 'Last step' }).click();
    assert.match(await shown.innerText(), /detach the old root/);
    assert.ok(await shown.locator('.unmounted').count() >= 4, 'the host\'s mounts are gone');
    await player.getByRole('button', { name: 'Previous step' }).click();
    assert.equal(await player.locator('output').innerText(), 'Step 4 of 5');
    await player.getByRole('slider').fill('3');
    assert.equal(await shown.locator('.moved').count(), 1, 'mnt has moved to /');
    assert.deepEqual(troubles, []);
    await close();
});

test('the player goes by keys, and stays on the page', async () => {
    const { page, close } = await open(browser);
    await page.goto(`${address}zh-CN/06-pivot-root.html`);
    const player = page.locator('#player-pivot');
    const output = player.locator('output');
    await player.focus();
    await page.keyboard.press('ArrowRight');
    assert.match(await output.innerText(), /2 \/ 5/);
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowRight');
    assert.match(await output.innerText(), /5 \/ 5/);
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowLeft');
    assert.match(await output.innerText(), /1 \/ 5/);
    assert.match(page.url(), /06-pivot-root/);
    await player.getByRole('button', { name: '下一步' }).press('Enter');
    assert.match(await output.innerText(), /2 \/ 5/);
    await close();
});

test('without JavaScript and in print the player is a list', async () => {
    const plain = await open(browser, { javaScriptEnabled: false });
    await plain.page.goto(`${address}06-pivot-root.html`);
    assert.equal(await plain.page.locator('#player-pivot .step:visible').count(), 5);
    assert.equal(await plain.page.locator('#player-pivot .controls:visible').count(), 0);
    await plain.close();

    const { page, close } = await open(browser);
    await page.goto(`${address}06-pivot-root.html`);
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('#player-pivot .step:visible').count(), 5);
    assert.equal(await page.locator('#player-pivot .controls:visible').count(), 0);
    await close();
});

const find = async (edition, words) => {
    const { page, troubles, close } = await open(browser);
    await page.goto(address + edition);
    await page.keyboard.press('s');
    await page.locator('#mdbook-searchbar').fill(words);
    // mdbook searches when a key is let go, as input methods do too.
    await page.keyboard.press('End');
    await page.locator('#mdbook-searchresults li').first().waitFor();
    const found = await page.locator('#mdbook-searchresults li > a').evaluateAll(
        links => links.map(link => new URL(link.href).pathname.split('/').pop()));
    const marked = await page.locator('#mdbook-searchresults em').first().innerText();
    const header = await page.locator('#mdbook-searchresults-header').innerText();
    await page.locator('#mdbook-searchresults li > a').first().click();
    await page.locator('main mark').first().waitFor({ state: 'attached' });
    assert.deepEqual(troubles, []);
    await close();
    return { found, marked, header };
};

test('search finds English words', async () => {
    const { found } = await find('', 'pivot_root');
    assert.ok(found.includes('06-pivot-root.html'), found.join(' '));
});

test('search finds Chinese words, which have no blanks between them', async () => {
    const { found, marked, header } = await find('zh-CN/', '挂载表');
    assert.ok(found.includes('01-mount-table.html'), found.join(' '));
    assert.ok(found.includes('mount-table-line.html'), found.join(' '));
    assert.equal(marked, '挂载表');
    assert.match(header, /“挂载表”：\d+ 个结果/);

    const mixed = await find('zh-CN/', 'overlay 挂载');
    assert.ok(mixed.found.includes('07-layers.html'), mixed.found.join(' '));
});

test('a report leads to its diagnosis, unfolded', async () => {
    const { page, close } = await open(browser);
    await page.goto(`${address}06-pivot-root.html#pivot-root-old-root-still-mounted`);
    const diagnosis = page.locator('details.diagnosis[open]');
    await diagnosis.waitFor();
    assert.match(await diagnosis.innerText(), /pivot-root\/old-root-still-mounted[\s\S]*First hint/);
    await close();
});

test('the figures can be read in every theme', async () => {
    for (const theme of ['light', 'rust', 'coal', 'navy', 'ayu']) {
        const { page, close } = await open(browser);
        await page.addInitScript(name => localStorage.setItem('mdbook-theme', name), theme);
        for (const name of ['06-pivot-root', '07-layers', '08-delete-workspace']) {
            await page.goto(`${address}${name}.html`);
            await page.emulateMedia({ media: 'screen' });
            const weak = await page.evaluate(weakTexts);
            assert.deepEqual(weak, [], `${theme}: ${name}`);
        }
        await close();
    }
});

/** Texts of the figures with a contrast below 4.5, the limit of WCAG AA. */
function weakTexts() {
    const rgb = color => color.match(/[\d.]+/g).map(Number);
    const luminance = ([red, green, blue]) => {
        const part = value => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
    };
    const background = element => {
        for (let at = element; at; at = at.parentElement) {
            const color = rgb(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] > 0) {
                return color;
            }
        }
        return [255, 255, 255];
    };
    for (const step of document.querySelectorAll('.step')) {
        step.hidden = false;
    }
    const texts = document.querySelectorAll(
        'figure :is(.at, .what, .options, .propagation, .mark, .whose, .side, .entry, .note, figcaption)');
    const weak = new Set();
    for (const text of texts) {
        const [front, back] = [luminance(rgb(getComputedStyle(text).color)), luminance(background(text))];
        const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
        if (contrast < 4.5) {
            weak.add(`${text.className} in ${text.closest('li, td, figure').className}: ${contrast.toFixed(1)}`);
        }
    }
    return [...weak];
}
