'use strict';

// Takes the place of elasticlunr's index, which knows words between blanks
// only: each term is looked for as it is in the text of all pages.
elasticlunr.Index.load = data => {
    const docs = Object.entries(data.documentStore.docs);
    // How much an occurrence says of a page.
    const weights = [['title', 8], ['breadcrumbs', 4], ['body', 1]];
    // Around the first occurrence, in characters.
    const before = 30;
    const after = 90;

    const count = (text, term) => text.toLowerCase().split(term).length - 1;

    // mdbook's excerpt is made of words: the term becomes one.
    const excerpt = (body, term) => {
        const at = body.toLowerCase().indexOf(term);
        if (at < 0) {
            return body.slice(0, before + after);
        }
        const start = Math.max(0, at - before);
        const end = at + term.length;
        return (start > 0 ? '…' : '') + body.slice(start, at) + ' ' + body.slice(at, end) + ' '
            + body.slice(end, end + after) + (end + after < body.length ? '…' : '');
    };

    const search = query => {
        const terms = query.toLowerCase().split(/\s+/).filter(term => term !== '');
        const found = [];
        for (const [ref, doc] of docs) {
            const scores = terms.map(term =>
                weights.reduce((sum, [field, weight]) => sum + weight * count(doc[field], term), 0));
            if (scores.length > 0 && scores.every(score => score > 0)) {
                const score = scores.reduce((sum, score) => sum + Math.min(score, 20), 0);
                found.push({ ref, score, doc: { ...doc, body: excerpt(doc.body, terms[0]) } });
            }
        }
        return found.sort((a, b) => b.score - a.score);
    };

    return { search };
};
