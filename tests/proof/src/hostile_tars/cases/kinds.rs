//! Entries of other kinds than files, folders and links.

use tar::EntryType;

use super::super::items::{Item, directory, file, node, tar};
use super::{AsGnuTar, AsUmociWithout, Case, Refused, case, one};

pub fn cases() -> Vec<Case> {
    vec![
        case("device files", AsGnuTar, |_| {
            one([
                node("sda", EntryType::Block, (8, 0)).mode(0o666),
                node("null", EntryType::Char, (1, 3)),
            ])
        }),
        case("a device 0:0, which overlay takes for a deletion", AsUmociWithout("/f"), |_| {
            vec![tar(&[file("f", "kept")]), tar(&[node("f", EntryType::Char, (0, 0))])]
        }),
        case("a fifo, and one in the place of a manifest", AsGnuTar, |_| {
            one([
                node("pipe", EntryType::Fifo, (0, 0)),
                node("manifest.json", EntryType::Fifo, (0, 0)),
            ])
        }),
        case("a kind that nobody knows", Refused(r#""f""#), |_| {
            one([Item { kind: EntryType::new(b'Z'), ..file("f", "data") }])
        }),
        case("the name of a volume", AsGnuTar, |_| {
            one([node("volume", EntryType::new(b'V'), (0, 0)), file("f", "")])
        }),
        case("a contiguous file", AsGnuTar, |_| {
            one([Item { kind: EntryType::Continuous, ..file("f", "x") }])
        }),
        case("a file that is a folder by its name", AsGnuTar, |_| {
            one([file("d/", ""), file("d/f", "")])
        }),
        case("a sparse file of PAX", AsGnuTar, |_| {
            one([sparse("2\n0\n512\n1000000\n8\n", "1000008")])
        }),
        case("a sparse file whose map lies", Refused(r#""sparse""#), |_| {
            one([sparse("2\n0\n512\n511\n8\n", "1000008")])
        }),
        case("a sparse file larger than any", Refused(r#""sparse""#), |_| {
            one([sparse("2\n0\n512\n18446744073709551615\n8\n", "18446744073709551615")])
        }),
        case("a folder with data", Refused(r#""d""#), |_| {
            one([Item { data: vec![b'x'; 1000], ..directory("d") }, file("d/f", "")])
        }),
    ]
}

/// 520 bytes of data, where `map` says.
fn sparse(map: &str, size: &str) -> Item {
    let mut data = map.as_bytes().to_vec();
    data.resize(512, 0);
    data.extend([b'd'; 520]);
    file("GNUSparseFile.0/sparse", data)
        .pax("GNU.sparse.major", "1")
        .pax("GNU.sparse.minor", "0")
        .pax("GNU.sparse.name", "sparse")
        .pax("GNU.sparse.realsize", size)
}
