'use strict';

// The other language, at the same place of the page.
for (const link of document.querySelectorAll('a.other-language')) {
    link.addEventListener('click', () => {
        link.hash = location.hash;
    });
}

// A report's link leads to a diagnosis that is folded away.
const unfold = () => {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id === '' ? null : document.getElementById(id);
    if (target instanceof HTMLDetailsElement) {
        target.open = true;
        target.scrollIntoView();
    }
};
window.addEventListener('hashchange', unfold);
unfold();
