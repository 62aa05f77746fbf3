//! Which of the images in an archive is imported, and what is no image.

#[path = "image_support/archives.rs"]
mod archives;
mod image_support;

use archives::*;
use image_support::*;
use rstest::rstest;

/// The architecture of this machine, as images name it.
fn here() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The parts of a descriptor: media type, platform, name.
fn of_type(media_type: &str) -> String {
    format!(r#","mediaType":"{media_type}""#)
}

fn platform(os: &str, architecture: &str, variant: &str) -> String {
    let variant = if variant.is_empty() { "".into() } else { format!(r#","variant":"{variant}""#) };
    format!(r#","platform":{{"os":"{os}","architecture":"{architecture}"{variant}}}"#)
}

fn named(name: &str) -> String {
    format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{name}"}}"#)
}

/// An index that is being filled, and its blobs.
#[derive(Default)]
struct Layout {
    blobs: Vec<Item>,
    manifests: Vec<String>,
}

impl Layout {
    /// Adds an image that has the file `is` with this text; `more` is what its
    /// descriptor says beside the digest.
    fn image(self, text: &str, more: &str) -> Layout {
        self.image_for("linux", here(), text, more)
    }

    /// The same, for another machine by its configuration.
    fn image_for(mut self, os: &str, architecture: &str, text: &str, more: &str) -> Layout {
        let layer = tar(&[file("is", text)]);
        let config = format!(
            r#"{{"architecture":"{architecture}","os":"{os}","rootfs":{{"diff_ids":[]}}}}"#
        );
        let manifest = format!(
            r#"{{"config":{},"layers":[{}]}}"#,
            descriptor(config.as_bytes(), &of_type("application/vnd.oci.image.config.v1+json")),
            descriptor(&layer, &of_type("application/vnd.oci.image.layer.v1.tar"))
        );
        self.blobs.extend([blob(&layer), blob(config.as_bytes())]);
        self.add(manifest.as_bytes(), more)
    }

    /// Adds anything else.
    fn add(mut self, bytes: &[u8], more: &str) -> Layout {
        self.blobs.push(blob(bytes));
        self.manifests.push(descriptor(bytes, more));
        self
    }

    /// Names something that the archive does not hold.
    fn missing(mut self, text: &str, more: &str) -> Layout {
        self.manifests.push(descriptor(text.as_bytes(), more));
        self
    }

    fn archive(self) -> Vec<u8> {
        tar(&oci_layout(self.blobs, &self.manifests))
    }

    /// The text of the image that is imported.
    #[track_caller]
    fn chosen(self) -> String {
        let store = Store::new();
        store.import(&self.archive()).unwrap();
        store.read("is")
    }

    #[track_caller]
    fn refused(self) -> String {
        Store::new().refused(&self.archive())
    }
}

#[rstest]
#[case::plain_first(["", "v2", "v3"], "")]
#[case::plain_last(["v3", "v2", ""], "")]
#[case::none_is_plain(["v4", "v2", "v3"], "v2")]
#[case::the_name_of_the_plain_one(["v3", "v1", "v2"], "v1")]
fn of_several_variants_the_one_that_asks_least_is_taken(
    #[case] variants: [&str; 3],
    #[case] expected: &str,
) {
    let add = |layout: Layout, variant: &&str| {
        layout.image(&format!("<{variant}>"), &platform("linux", here(), variant))
    };
    let layout = variants.iter().fold(Layout::default(), add);
    assert_eq!(layout.chosen(), format!("<{expected}>"));
}

#[test]
fn variants_of_other_images_are_other_images() {
    let variant = |name, variant| platform("linux", here(), variant) + &named(name);
    let layout =
        Layout::default().image("1", &variant("one", "")).image("2", &variant("two", "v2"));
    let error = layout.refused();
    assert!(error.contains("one") && error.contains("two (linux"), "{error}");
}

#[rstest]
#[case::sbom("application/vnd.example.sbom+json", "")]
#[case::signature_of_docker_1("application/vnd.docker.distribution.manifest.v1+prettyjws", "")]
#[case::artifact("application/vnd.oci.artifact.manifest.v1+json", "")]
#[case::artifact_by_its_type(
    "application/vnd.oci.image.manifest.v1+json",
    r#","artifactType":"application/vnd.example""#
)]
fn what_is_no_image_is_ignored_in_an_index(#[case] media_type: &str, #[case] more: &str) {
    let more = of_type(media_type) + more;
    assert_eq!(Layout::default().add(b"no JSON", &more).image("it", "").chosen(), "it");
    let error = Layout::default().add(b"no JSON", &more).refused();
    assert!(error.contains("holds no image"), "{error}");
}

/// Signatures, charts and the like have manifests as images have.
#[rstest]
#[case::of_a_config("application/vnd.cncf.helm.config.v1+json", "application/x-tar")]
#[case::of_no_config("application/vnd.oci.empty.v1+json", "application/x-tar")]
#[case::of_a_layer(
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.dev.cosign.simplesigning.v1+json"
)]
fn what_has_the_manifest_of_an_image_and_is_none(#[case] config: &str, #[case] layer: &str) {
    let bytes = br#"{"os":"","architecture":""}"#;
    let manifest = format!(
        r#"{{"config":{},"layers":[{}]}}"#,
        descriptor(bytes, &of_type(config)),
        descriptor(bytes, &of_type(layer))
    );
    let other = |layout: Layout| layout.add(bytes, &of_type("text/x")).add(manifest.as_bytes(), "");
    assert_eq!(other(Layout::default().image("it", "")).chosen(), "it");
    let error = other(Layout::default()).refused();
    assert!(error.contains("holds no image"), "{error}");
}

#[test]
fn a_layer_that_is_no_tar_is_an_error_that_names_its_type() {
    let layer = tar(&[file("f", "")]);
    let encrypted = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted";
    let manifest = format!(
        r#"{{"config":{},"layers":[{},{}]}}"#,
        descriptor(b"{}", ""),
        descriptor(&layer, ""),
        descriptor(&layer, &of_type(encrypted))
    );
    let layout = Layout::default().add(b"{}", &of_type("text/x")).add(&layer, &of_type("text/x"));
    let error = layout.add(manifest.as_bytes(), "").refused();
    assert!(error.contains("layer 2") && error.contains(encrypted), "{error}");
}

#[test]
fn what_an_image_is_for_can_be_in_its_configuration_alone() {
    let layout = Layout::default()
        .image_for("linux", "pdp11", "old", "")
        .image("it", "")
        .image_for("plan9", here(), "other", "");
    assert_eq!(layout.chosen(), "it");
}

/// docker save of one platform names all of them.
#[test]
fn an_index_may_name_more_than_the_archive_holds() {
    let other = |text: &str| platform("linux", text, "");
    let layout = Layout::default()
        .missing("one", &other("s390x"))
        .image_for("linux", "pdp11", "the only one", &other("pdp11"))
        .missing("two", &other("riscv64"));
    assert_eq!(layout.chosen(), "the only one");
    let layout = Layout::default().missing("wanted", &other(here())).image_for(
        "linux",
        "pdp11",
        "other",
        &other("pdp11"),
    );
    let error = layout.refused();
    assert!(error.contains("missing"), "another machine's image instead: {error}");
}

#[test]
fn null_is_nothing() {
    let config = r#"{"config":null,"rootfs":{"type":"layers","diff_ids":null}}"#;
    let more = r#","platform":null,"annotations":null"#;
    let manifest = format!(r#"{{"config":{},"layers":null}}"#, descriptor(config.as_bytes(), more));
    let blobs = vec![blob(config.as_bytes()), blob(manifest.as_bytes())];
    let oci = oci_layout(blobs, &[descriptor(manifest.as_bytes(), more)]);
    let docker = vec![
        file("config.json", config),
        file("manifest.json", r#"[{"Config":"config.json","RepoTags":null,"Layers":null}]"#),
    ];
    for items in [oci, docker] {
        let store = Store::new();
        assert_eq!(store.import(&tar(&items)).unwrap().layers, 0);
        store.open();
    }
    let index = r#"{"manifests":null}"#;
    let empty = [file("oci-layout", "{}"), file("index.json", index)];
    assert!(Store::new().refused(&tar(&empty)).contains("holds no image"));
}

#[test]
fn one_image_that_docker_lists_twice_is_one() {
    let mut items = docker_save_of(&two_layers());
    let manifest = items.pop().unwrap();
    let one = String::from_utf8(manifest.data).unwrap();
    let one = one.trim_matches(['[', ']']);
    let other = one.replace("null", r#"["b:1"]"#);
    items.push(file("manifest.json", format!("[{one},{other}]")));
    let store = Store::new();
    assert_eq!(store.import(&tar(&items)).unwrap().layers, 2);
}

/// As docker wrote it until 2016: a folder for each layer, and their names in
/// `repositories`, unless it was saved by its ID.
#[rstest]
fn what_docker_saved_before_1_10_is_refused_with_the_reason(
    #[values(false, true)] has_repositories: bool,
) {
    let [lower, upper] = ["0a".repeat(32), "f1".repeat(32)];
    let mut items = Vec::new();
    for (id, more) in [(&lower, String::new()), (&upper, format!(r#","parent":"{lower}""#))] {
        items.extend([
            directory(format!("{id}/")),
            file(format!("{id}/VERSION"), "1.0"),
            file(format!("{id}/json"), format!(r#"{{"id":"{id}"{more}}}"#)),
            file(format!("{id}/layer.tar"), tar(&[file("f", "")])),
        ]);
    }
    if has_repositories {
        items.push(file("repositories", format!(r#"{{"it":{{"latest":"{upper}"}}}}"#)));
    }
    let error = Store::new().refused(&tar(&items));
    assert!(error.contains("1.10") && error.contains("manifest.json"), "{error}");
    assert!(error.contains("docker save it again"), "{error}");
}

#[test]
fn folders_with_long_names_are_no_archive_of_docker() {
    let id = "0a".repeat(32);
    let items = [file(format!("{id}/json"), ""), directory(format!("{id}/layer.tar"))];
    let store = Store::new();
    store.import(&tar(&items)).unwrap();
    assert_eq!(names(&store.layer(0)), [id]);
}
