"""The archives and directories that the benchmarks work on."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import tarfile


def many_files(folder, count):
    """Fills a folder: up to a hundred files each, in folders of their own."""
    for number in range(count):
        if number % 100 == 0:
            below = folder / f"d{number // 100}"
            below.mkdir()
        (below / str(number)).touch()


def wide_directory(folder, count):
    """Fills a directory with so many empty files."""
    for number in range(count):
        (folder / str(number)).touch()


def deep_directory(folder, count):
    """Makes so many directories in a directory, each in the one before."""
    # By descriptors: the whole path would soon be too long.
    at = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    for _ in range(count):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_PATH | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def empty_files(folder, count):
    """An archive of so many empty files, a hundred in each directory."""
    archive = folder / f"empty-{count}.tar"
    with tarfile.open(archive, "w") as tar:
        for number in range(count):
            if number % 100 == 0:
                add(tar, f"d{number // 100}")
            add(tar, f"d{number // 100}/{number % 100}", b"")
    return archive


def add(tar, name, content=None):
    entry = tarfile.TarInfo(name)
    entry.mtime = 1_600_000_000
    if content is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(entry)
    else:
        entry.size, entry.mode = len(content), 0o644
        tar.addfile(entry, io.BytesIO(content))


def to_import(folder, small, large):
    """`small` files of up to 4 KiB, and `large` MiB in files of 32 MiB."""
    numbers = random.Random(1)
    many, few, packed = (folder / name for name in ("small.tar", "large.tar", "small.tar.gz"))
    with tarfile.open(many, "w") as tar:
        for number in range(small):
            if number % 40 == 0:
                add(tar, f"d{number // 40:03}")
            content = numbers.randbytes(64) * numbers.randrange(64)
            add(tar, f"d{number // 40:03}/f{number % 40:02}", content)
    with tarfile.open(few, "w") as tar:
        for number in range(max(1, large // 32)):
            add(tar, f"f{number}", numbers.randbytes(min(large, 32) << 20))
    with open(many, "rb") as plain, gzip.open(packed, "wb", compresslevel=6) as stream:
        shutil.copyfileobj(plain, stream)
    return {
        f"{small:,} small files": many,
        f"{small:,} small files, gzip": packed,
        f"{large} MiB in large files": few,
    }


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def oci_layout(folder, archive):
    """An OCI layout with one image, `it`, whose only layer is `archive`."""
    data = archive.read_bytes()
    is_gzip = archive.suffix == ".gz"
    layout = folder / "layout"
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(kind, content):
        (blobs / sha256(content)).write_bytes(content)
        kind = f"application/vnd.oci.image.{kind}"
        return {"mediaType": kind, "digest": f"sha256:{sha256(content)}", "size": len(content)}

    def blob_of(kind, value):
        return blob(kind, json.dumps(value).encode())

    diff_id = sha256(gzip.decompress(data) if is_gzip else data)
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
    manifest = {
        "schemaVersion": 2,
        "config": blob_of("config.v1+json", config),
        "layers": [blob("layer.v1.tar+gzip" if is_gzip else "layer.v1.tar", data)],
    }
    image = blob_of("manifest.v1+json", manifest)
    image["annotations"] = {"org.opencontainers.image.ref.name": "it"}
    index = {"schemaVersion": 2, "manifests": [image]}
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    return layout


def image_of_layers(folder, bottom, count):
    """An image as `docker save` writes it: `bottom`, and small layers on it."""
    out = folder / f"layers-{count}.tar"
    with tarfile.open(out, "w") as tar:
        names = [f"{number}.tar" for number in range(count)]
        config = {"config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
        add(tar, "config.json", json.dumps(config).encode())
        manifest = [{"Config": "config.json", "RepoTags": None, "Layers": names}]
        add(tar, "manifest.json", json.dumps(manifest).encode())
        add(tar, names[0], bottom.read_bytes())
        for number, name in enumerate(names[1:]):
            layer = io.BytesIO()
            with tarfile.open(fileobj=layer, mode="w") as inner:
                add(inner, f"layer-{number}", b"")
            add(tar, name, layer.getvalue())
    return out
