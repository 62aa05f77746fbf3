// What of a session's output can be compared: as tool/tests/sessions/comparable.rs has it.

/** Gives the numbers of one kind names, in the order of their coming. */
const numbers = (place, name) => {
    const given = [];
    return line => line.replace(place, found => found.replace(/\b\d+(:\d+)?\b/g, number => {
        if (!given.includes(number)) {
            given.push(number);
        }
        return `${name}${given.indexOf(number)}`;
    }));
};

/**
 * Without what is different each time: dates, and the kernel's numbers of mounts, file systems and peer groups. Which
 * of those are the same remains.
 */
export const comparable = text => {
    const mounts = numbers(/^ *\d+ +\d+ /, 'M');
    const devices = numbers(/^M\d+ M\d+ \d+:\d+ /, 'D');
    const groups = numbers(/\b(shared|master|propagate_from):\d+/, 'G');
    return text.trimEnd().split('\n').map(untrimmed => {
        const line = untrimmed.trimEnd().replace(/\b[A-Z][a-z]{2} +\d+ \d\d:\d\d\b/g, 'DATE');
        const named = groups(devices(mounts(line)));
        return named === line ? line : named.trim().split(/\s+/).join(' ');
    }).join('\n');
};
