// The book as a reader meets it: served, and opened in a real Chromium.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chromium } from 'playwright-core';

/** Serves the book on a free port; `BOOK` is the program of scripts/book. */
export const serve = () => new Promise((resolve, reject) => {
    const server = spawn(process.env.BOOK, ['serve', '--port', '0'], { stdio: ['ignore', 'inherit', 'pipe'] });
    let said = '';
    server.stderr.on('data', chunk => {
        said += chunk;
        const address = /http:\/\/\S+\//.exec(said);
        if (address) {
            resolve({ address: address[0], stop: () => stop(server) });
        }
    });
    server.on('exit', () => reject(new Error(`scripts/book serve has ended: ${said}`)));
});

const stop = async server => {
    const ended = once(server, 'exit');
    server.kill();
    await ended;
};

/** Debian's Chromium, that of `CHROMIUM`, else the one on the PATH. */
export const browse = () => chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

/** A fresh window, and what goes wrong in it. */
export const open = async (browser, options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    const troubles = [];
    page.on('console', message => {
        if (['error', 'warning'].includes(message.type())) {
            troubles.push(`${page.url()}: ${message.text()}`);
        }
    });
    page.on('pageerror', error => troubles.push(`${page.url()}: ${error.message}`));
    page.on('requestfailed', request => {
        const why = request.failure()?.errorText;
        // A page was left before its icon had come.
        if (why !== 'net::ERR_ABORTED') {
            troubles.push(`${request.url()}: ${why}`);
        }
    });
    page.on('response', response => {
        if (response.status() >= 400) {
            troubles.push(`${response.url()}: ${response.status()}`);
        }
    });
    return { page, troubles, close: () => context.close() };
};

/** The pages of an edition, as its table of contents lists them. */
export const pages = async (browser, address) => {
    const { page, close } = await open(browser);
    await page.goto(address);
    const links = await page.locator('#mdbook-sidebar .chapter a[href*=".html"]').evaluateAll(
        found => found.map(link => link.href.split('#')[0]));
    await close();
    return [...new Set(links)];
};
