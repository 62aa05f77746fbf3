//! Archives that end early, lie about themselves, or never end.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::items::{file, tar, tar_without_end};
use super::{AsGnuTar, AsUmoci, Case, Refused, case};

pub fn cases() -> Vec<Case> {
    vec![
        case("nothing but an end mark", AsGnuTar, |_| vec![tar(&[])]),
        case("no bytes at all", Refused("it is empty"), |_| vec![Vec::new()]),
        case("no end mark", AsGnuTar, |_| vec![tar_without_end(&[file("f", "x")])]),
        case("cut off in a header", Refused(r#""f""#), |_| {
            vec![tar(&[file("f", "x"), file("g", "")])[..1300].to_vec()]
        }),
        case("cut off in the data", Refused(r#""f""#), |_| {
            vec![tar(&[file("f", vec![b'x'; 5000])])[..3000].to_vec()]
        }),
        case("a size that lies", Refused(r#""f""#), |_| {
            vec![tar(&[file("f", "x").pax("size", "1000000"), file("g", "")])]
        }),
        case("a size larger than any", Refused(r#""f""#), |_| {
            vec![tar(&[file("f", "x").pax("size", "18446744073709551615")])]
        }),
        case("a checksum that is wrong", Refused(r#""f""#), |_| {
            let mut archive = tar(&[file("f", ""), file("g", "")]);
            archive[512] = b'h';
            vec![archive]
        }),
        case("something after the end mark", AsGnuTar, |_| {
            vec![[tar(&[file("f", "x")]), tar(&[file("unseen", "")]), b"rubbish".to_vec()].concat()]
        }),
        case("a gzip cut off", Refused("damaged"), |_| {
            let whole = gzip(&[&tar(&[file("f", "x")])]);
            vec![whole[..whole.len() - 9].to_vec()]
        }),
        case("a gzip whose checksum is wrong", Refused("damaged"), |_| {
            let mut whole = gzip(&[&tar(&[file("f", "x")])]);
            let at = whole.len() - 6;
            whole[at] ^= 1;
            vec![whole]
        }),
        Case {
            arguments: &["--max-size", "64m"],
            ..case("a gzip bomb", Refused(r#""bomb""#), |_| {
                let zeros = vec![0; 128 << 20];
                let header = tar(&[file("bomb", "").pax("size", zeros.len().to_string())]);
                vec![gzip(&[&header[..header.len() - 1024], &zeros, &[0; 1024]])]
            })
        },
        Case {
            arguments: &["--max-size", "64m"],
            ..case("a gzip bomb after the end mark", Refused("--max-size"), |_| {
                vec![gzip(&[&tar(&[file("f", "")]), &vec![0; 128 << 20]])]
            })
        },
        case("200 layers", AsUmoci, |_| {
            let layer = |number: usize| {
                let own = format!("layer-{number:03}");
                let gone = format!(".wh.layer-{:03}", number.saturating_sub(2));
                tar(&[file("top", number.to_string()), file(own, ""), file(gone, "")])
            };
            (1..=200).map(layer).collect()
        }),
    ]
}

fn gzip(parts: &[&[u8]]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for part in parts {
        encoder.write_all(part).expect("memory");
    }
    encoder.finish().expect("memory")
}
