// What the machine is made of: the same where it is saved and where it goes on.

export const hardware = {
    memory_size: 128 * 1024 * 1024,
    vga_memory_size: 2 * 1024 * 1024,
    // Four lines: two terminals, one for the page's questions, and one to spare.
    virtio_console: true,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    net_device: { type: 'none' },
};
