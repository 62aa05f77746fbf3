'use strict';

// A list of steps becomes a player: one step at a time, by buttons, a slider
// and keys. Without this script, and printed, it stays a list.
for (const player of document.querySelectorAll('figure.player')) {
    const steps = [...player.querySelectorAll('.step')];
    const controls = player.querySelector('.controls');
    const slider = controls.querySelector('input');
    const output = controls.querySelector('output');
    const button = name => controls.querySelector(`[data-go="${name}"]`);
    const { step: word, of } = controls.dataset;
    let current = 0;

    const show = index => {
        current = Math.min(Math.max(index, 0), steps.length - 1);
        steps.forEach((step, at) => {
            step.hidden = at !== current;
        });
        slider.value = current + 1;
        slider.setAttribute('aria-valuetext', steps[current].querySelector('.step-name').innerText);
        output.textContent = `${word} ${current + 1} ${of} ${steps.length}`;
        // Not `disabled`: a button that has the focus would lose it.
        for (const [name, atEnd] of [['first', current === 0], ['previous', current === 0],
            ['next', current === steps.length - 1], ['last', current === steps.length - 1]]) {
            button(name).setAttribute('aria-disabled', atEnd);
        }
    };

    const moves = {
        first: () => show(0),
        previous: () => show(current - 1),
        next: () => show(current + 1),
        last: () => show(steps.length - 1),
    };
    for (const [name, move] of Object.entries(moves)) {
        button(name).addEventListener('click', move);
    }
    slider.addEventListener('input', () => show(slider.value - 1));

    const keys = { ArrowLeft: 'previous', ArrowRight: 'next', Home: 'first', End: 'last' };
    player.addEventListener('keydown', event => {
        const move = moves[keys[event.key]];
        if (!move || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) {
            return;
        }
        // Neither to the next chapter, which is mdbook's use of the arrows,
        // nor twice where the slider has the focus.
        event.stopPropagation();
        event.preventDefault();
        move();
    });

    slider.max = steps.length;
    controls.hidden = false;
    player.classList.add('playing');
    player.tabIndex = 0;
    show(0);
}
