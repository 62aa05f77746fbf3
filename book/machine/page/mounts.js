// The mount tables of the machine, drawn as the book's players draw those of a recording: a tree for each mount
// namespace, with what has changed since the last command.

/** A path as the kernel writes it in mountinfo: \040 is a space. */
const unescaped = path => path.replace(/\\([0-7]{3})/g, (_, code) => String.fromCharCode(parseInt(code, 8)));

/** A line of /proc/PID/mountinfo: see proc_pid_mountinfo(5). */
const parseMount = line => {
    const words = line.split(' ');
    const end = words.indexOf('-', 6);
    const [id, parent, device, root, at, options] = words;
    return {
        id,
        parent,
        device,
        root: unescaped(root),
        at: unescaped(at),
        // `relatime` is the kernel's default, and says nothing here.
        options: options.split(',').filter(option => !option.endsWith('atime')).join(','),
        propagation: words.slice(6, end).join(',') || 'private',
        type: words[end + 1],
    };
};

/** The answer to the question `mounts`: the mount namespaces, that of PID 1 first. */
export const parseNamespaces = lines => {
    const namespaces = [];
    let current;
    for (const line of lines) {
        const [word, number, pid, name] = line.split(' ');
        if (word === 'process') {
            namespaces[number] ??= { processes: [], mounts: [] };
            namespaces[number].processes.push({ pid: Number(pid), name });
        } else if (word === 'namespace') {
            current = namespaces[number];
        } else {
            current.mounts.push(parseMount(line));
        }
    }
    for (const namespace of namespaces) {
        namespace.processes.sort((a, b) => a.pid - b.pid);
        namespace.pid = namespace.processes[0].pid;
    }
    // One whose processes have ended meanwhile has no table any more.
    return namespaces.filter(({ mounts }) => mounts.length > 0).sort((a, b) => a.pid - b.pid);
};

/** Whether two lines are of one mount: the kernel uses a number again when its mount is gone. */
const isSame = (was, is) => was.id === is.id && was.device === is.device && was.root === is.root;

/** What has become of a mount. */
const changeOf = (mount, before) => {
    const was = before?.mounts.find(it => isSame(it, mount));
    if (!before) {
        // The first table of a namespace is no change.
        return { change: 'same' };
    }
    if (!was) {
        return { change: 'mounted' };
    }
    if (was.at !== mount.at) {
        return { change: 'moved', was };
    }
    const isChanged = was.options !== mount.options || was.propagation !== mount.propagation;
    return { change: isChanged ? 'changed' : 'same', was };
};

const SIGNS = { mounted: '+', unmounted: '−', moved: '→', changed: '~' };

const element = (name, className, ...children) => {
    const made = document.createElement(name);
    made.className = className;
    made.append(...children);
    return made;
};

/** Draws the tables into `place`, with the words of the reader's language. */
export class MountTables {
    constructor(place, words) {
        this.place = place;
        this.words = words;
        this.now = [];
        this.before = undefined;
    }

    /** From here on is drawn what changes: a command begins. */
    mark() {
        this.before = this.now;
    }

    /** Forgets what was: the machine has started over. */
    clear() {
        this.now = [];
        this.before = undefined;
        this.place.replaceChildren();
    }

    draw(namespaces) {
        this.now = namespaces;
        this.before ??= namespaces;
        this.place.replaceChildren(...namespaces.map(namespace => this.table(namespace)));
    }

    table(namespace) {
        const before = this.before.find(it => it.pid === namespace.pid);
        const { host, of } = this.words;
        const name = namespace.pid === 1 ? host : of(namespace.processes[0].name, namespace.pid);
        const tree = element('ul', 'mounts');
        const known = new Set(namespace.mounts.map(mount => mount.id));
        const isLowest = mount => !known.has(mount.parent) || mount.parent === mount.id;
        tree.append(...namespace.mounts.filter(isLowest).map(mount => this.mount(mount, namespace, before)));
        const gone = before?.mounts.filter(was => !namespace.mounts.some(it => isSame(was, it))) ?? [];
        tree.append(...gone.map(mount => this.line(mount, 'unmounted')));
        return element('div', 'table acting', element('p', 'whose', name), tree);
    }

    mount(mount, namespace, before) {
        const { change, was } = changeOf(mount, before);
        const line = this.line(mount, change, was);
        const onIt = namespace.mounts.filter(it => it.parent === mount.id && it.id !== mount.id);
        if (onIt.length > 0) {
            line.append(element('ul', '', ...onIt.map(it => this.mount(it, namespace, before))));
        }
        return line;
    }

    line(mount, change, was) {
        const line = element('span', 'line');
        if (SIGNS[change]) {
            const sign = element('span', 'mark', SIGNS[change]);
            sign.setAttribute('role', 'img');
            sign.setAttribute('aria-label', this.words[change]);
            line.append(sign, ' ');
        }
        const part = mount.root === '/' ? '' : `[${mount.root}]`;
        line.append(element('span', 'at', mount.at), ' ', element('span', 'what', mount.type + part));
        for (const name of ['options', 'propagation']) {
            const field = element('span', name);
            if (change === 'changed' && was[name] !== mount[name]) {
                field.append(element('del', '', was[name]), ' ', element('ins', '', mount[name]));
            } else {
                field.append(mount[name]);
            }
            line.append(' ', field);
        }
        return element('li', `mount ${change}`, line);
    }
}
