//! Other right answers to lab 07.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use lab_07_grader::Answers;
use nix::sys::stat::{Mode, umask};

use super::{SOLUTION, solution};
use crate::catalogue::Variant;

/// Right, and not as the solution does it.
pub static RIGHT: &[Variant<Answers>] = &[
    // Options in another order, with more of them, and no colon escaped but where
    // one ends a layer.
    Variant {
        name: "options_in_another_order",
        answers: Answers {
            overlay_options: |lower, upper, work, user_xattr| {
                let escape = |path: &OsStr, separators: &[u8]| {
                    let escaped = path.as_bytes().iter().flat_map(|byte| {
                        let backslash = separators.contains(byte).then_some(b'\\');
                        backslash.into_iter().chain([*byte])
                    });
                    OsString::from_vec(escaped.collect())
                };
                let mut parts = vec![OsString::from("index=off")];
                if user_xattr {
                    parts.push("userxattr".into());
                }
                for (name, path) in [("workdir=", work), ("upperdir=", upper)] {
                    let mut part = OsString::from(name);
                    part.push(escape(path.as_os_str(), b"\\,"));
                    parts.push(part);
                }
                let layers: Vec<OsString> =
                    lower.iter().map(|it| escape(it.as_os_str(), b"\\:,")).collect();
                let mut part = OsString::from("lowerdir=");
                part.push(layers.join(OsStr::new(":")));
                parts.push(part);
                parts.join(OsStr::new(","))
            },
            ..SOLUTION
        },
    },
    // AUFS's option by its old name, after another one.
    Variant {
        name: "aufs_dirs",
        answers: Answers {
            aufs_options: |write, read_only| {
                let options = solution::aufs_options(write, read_only)?;
                let branches = options.as_bytes()[3..].to_vec();
                let mut options = OsString::from("xino=/dev/shm/aufs.xino,dirs=");
                options.push(OsString::from_vec(branches));
                Ok(options)
            },
            ..SOLUTION
        },
    },
    // All modes by the umask, which is put back; chmod(2) only where something else was
    // handed down.
    Variant {
        name: "umask_for_a_moment",
        answers: Answers {
            create_write_layer: |workspace| {
                let before = umask(Mode::empty());
                let made = ["write-layer", "work"].iter().try_for_each(|name| {
                    let path = workspace.join(name);
                    DirBuilder::new().mode(0o755).create(&path)?;
                    match path.metadata()?.permissions().mode() & 0o7777 {
                        0o755 => Ok(()),
                        _ => fs::set_permissions(path, Permissions::from_mode(0o755)),
                    }
                });
                umask(before);
                made
            },
            ..SOLUTION
        },
    },
    // Files by descriptors.
    Variant {
        name: "init_layer_by_descriptors",
        answers: Answers {
            create_init_layer: |workspace, image, hostname| {
                let init_layer = workspace.join("init-layer");
                let directory = |name: &str, mode| {
                    let path = init_layer.join(name);
                    fs::create_dir(&path)?;
                    File::open(&path)?.set_permissions(Permissions::from_mode(mode))
                };
                let mode_in_the_image = |name: &str| {
                    let data = match fs::symlink_metadata(image.join(name)) {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                        data => Some(data?).filter(fs::Metadata::is_dir),
                    };
                    Ok::<_, io::Error>(
                        data.map_or(0o755, |data| data.permissions().mode() & 0o7777),
                    )
                };
                directory("", 0o755)?;
                for name in ["sys", "proc", "dev"] {
                    directory(name, mode_in_the_image(name)?)?;
                }
                // Files are made in this one.
                directory("etc", 0o700)?;
                let etc = File::open(init_layer.join("etc"))?;
                let mut resolver = Vec::new();
                match File::open("/etc/resolv.conf") {
                    Ok(mut file) => drop(file.read_to_end(&mut resolver)?),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
                let hosts = format!(
                    "# made for this container\n127.0.1.1 {hostname}\n127.0.0.1 ip4 localhost\n"
                );
                let files = [
                    ("hostname", format!("{hostname}\n").into_bytes()),
                    ("hosts", hosts.into_bytes()),
                    ("resolv.conf", resolver),
                ];
                for (name, content) in files {
                    let path = init_layer.join("etc").join(name);
                    let mut file =
                        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                    file.write_all(&content)?;
                    file.set_permissions(Permissions::from_mode(0o644))?;
                }
                etc.set_permissions(Permissions::from_mode(mode_in_the_image("etc")?))
            },
            ..SOLUTION
        },
    },
    // What is in the way of a mark is deleted, and never opened.
    Variant {
        name: "marks_replace_links",
        answers: Answers {
            whiteouts_to_aufs: |layer, user_xattr| {
                fn clear(directory: &Path) -> io::Result<()> {
                    for entry in fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()? {
                        let is_link = entry.file_type()?.is_symlink();
                        if is_link && entry.file_name().as_bytes().starts_with(b".wh.") {
                            fs::remove_file(entry.path())?;
                        } else if entry.file_type()?.is_dir() {
                            clear(&entry.path())?;
                        }
                    }
                    Ok(())
                }
                clear(layer)?;
                solution::whiteouts_to_aufs(layer, user_xattr)
            },
            ..SOLUTION
        },
    },
    // Byte by byte.
    Variant {
        name: "names_by_a_pattern",
        answers: Answers {
            hidden_name: |name| match name.as_bytes() {
                [b'.', b'w', b'h', b'.', hidden @ ..] => match hidden {
                    [] | b"." | b".." => None,
                    [b'.', b'w', b'h', b'.', ..] => None,
                    _ => Some(OsStr::from_bytes(hidden)),
                },
                _ => None,
            },
            ..SOLUTION
        },
    },
    // After an error, what this call has made is deleted, and nothing else.
    Variant {
        name: "own_parts_deleted_after_an_error",
        answers: Answers {
            create_write_layer: |workspace| {
                let (layer, work) = (workspace.join("write-layer"), workspace.join("work"));
                let make = |path: &Path| {
                    fs::create_dir(path)?;
                    let set = fs::set_permissions(path, Permissions::from_mode(0o755));
                    set.inspect_err(|_| drop(fs::remove_dir(path)))
                };
                make(&layer)?;
                make(&work).inspect_err(|_| drop(fs::remove_dir(&layer)))
            },
            create_init_layer: |workspace, image, hostname| {
                let was_there = workspace.join("init-layer").symlink_metadata().is_ok();
                let made = solution::create_init_layer(workspace, image, hostname);
                made.inspect_err(|_| {
                    if !was_there {
                        let _ = fs::remove_dir_all(workspace.join("init-layer"));
                    }
                })
            },
            create_mount_point: |workspace, image, user_xattr| {
                let was_there = workspace.join("mnt").symlink_metadata().is_ok();
                let made = solution::create_mount_point(workspace, image, user_xattr);
                made.inspect_err(|_| {
                    if !was_there {
                        let _ = fs::remove_dir(workspace.join("mnt"));
                    }
                })
            },
            ..SOLUTION
        },
    },
];

/// Wrong in ways that have no name.
pub static UNFORESEEN: &[Variant<Answers>] = &[
    // What is white at the end of a name is not seen, and cut off.
    Variant {
        name: "names_trimmed",
        answers: Answers {
            hidden_name: |name| {
                let hidden = solution::hidden_name(name)?;
                Some(OsStr::from_bytes(hidden.as_bytes().trim_ascii_end()))
            },
            ..SOLUTION
        },
    },
];
