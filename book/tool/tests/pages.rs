//! Both editions, built: every link leads somewhere, every report's link too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use labkit::lab::kit_diagnoses;
use labkit::language::Language;
use mydocker_book::{build, checkout, edition, page};
use scraper::{Html, Selector};

/// A page: what it links to, and where it can be linked to.
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
    text: String,
}

/// All pages of an edition, by their path in it.
type Edition = BTreeMap<PathBuf, Page>;

/// Both editions, built once for all tests.
static BOOK: LazyLock<[Edition; 2]> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let book = folder.path().join("out");
    build::build(&book).expect("the book");
    Language::ALL.map(|language| read(&edition::folder(language, &book)))
});

fn read(folder: &Path) -> Edition {
    let pages = page::pages(folder).expect("the pages");
    // print.html is all pages once more; 404.html is for any depth.
    let is_page = |path: &PathBuf| !path.ends_with("print.html") && !path.ends_with("404.html");
    let pages = pages.into_iter().filter(is_page);
    pages.map(|path| (path.strip_prefix(folder).unwrap().to_owned(), parse(&path))).collect()
}

fn parse(path: &Path) -> Page {
    let html = Html::parse_document(&checkout::read(path).expect("a page"));
    let all = |selector: &str, attribute: &str| -> Vec<String> {
        let selector = Selector::parse(selector).expect("a selector");
        let found = html.select(&selector);
        found.filter_map(|element| element.attr(attribute)).map(str::to_owned).collect()
    };
    let main = Selector::parse("main").expect("a selector");
    Page {
        links: all("a[href]", "href"),
        anchors: all("[id]", "id").into_iter().collect(),
        text: html.select(&main).flat_map(|main| main.text()).collect(),
    }
}

/// What is wrong with a link of the page at `from`.
fn broken(editions: &[Edition; 2], index: usize, from: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        // There may be no network: only that it is an address.
        let is_address = url::Url::parse(link).is_ok_and(|url| url.scheme() == "https");
        let is_local = link.starts_with("http://127.0.0.1") || link.starts_with("http://localhost");
        return (!is_address && !is_local).then(|| "no https address".to_owned());
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let (mut index, mut target) = (index, from.parent().unwrap_or(Path::new("")).to_owned());
    if path.is_empty() {
        target = from.to_owned();
    }
    for part in Path::new(path).components() {
        match part.as_os_str().to_str() {
            Some("..") if !target.pop() && index == 1 => index = 0,
            Some("..") => {}
            Some("zh-CN") if index == 0 && target.as_os_str().is_empty() => index = 1,
            _ => target.push(part),
        }
    }
    if target.ends_with("print.html") {
        return None;
    }
    let Some(page) = editions[index].get(&target) else {
        return Some(format!("there is no page {}", target.display()));
    };
    let is_there = anchor.is_empty() || page.anchors.contains(&decoded(anchor));
    (!is_there).then(|| format!("{} has no anchor {anchor}", target.display()))
}

/// `%E4%BD%A0` as a letter.
fn decoded(anchor: &str) -> String {
    let url = url::Url::parse(&format!("x:?{anchor}")).expect("a part of an address");
    let pairs = url.query().unwrap_or_default().replace('+', "%2B");
    url::form_urlencoded::parse(pairs.as_bytes()).map(|(key, _)| key.into_owned()).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut found = Vec::new();
    for (index, edition) in BOOK.iter().enumerate() {
        for (path, page) in edition {
            for link in &page.links {
                if let Some(why) = broken(&BOOK, index, path, link) {
                    let code = edition::code(Language::ALL[index]);
                    found.push(format!("{code}/{}: {link}: {why}", path.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "broken links:\n{}", found.join("\n"));
}

#[test]
fn every_report_leads_to_its_diagnosis() {
    for edition in BOOK.iter() {
        for lab in checkout::labs().expect("the labs") {
            let page = &edition[Path::new(&lab.page)];
            let own = lab.diagnoses.iter().map(|diagnosis| diagnosis.code.clone());
            let every = kit_diagnoses().into_iter().map(|diagnosis| diagnosis.code);
            // That one is reported under the lab's own name.
            let every = every.filter(|code| code != "answer/unforeseen").chain([lab.unforeseen()]);
            for code in own.chain(every) {
                let anchor = code.replace('/', "-");
                assert!(page.anchors.contains(&anchor), "{}#{anchor}", lab.page);
            }
        }
    }
}

#[test]
fn both_editions_have_the_same_pages_and_anchors() {
    let [english, chinese] = &*BOOK;
    assert_eq!(english.keys().collect::<Vec<_>>(), chinese.keys().collect::<Vec<_>>());
    for (path, page) in english {
        let missing: Vec<_> = page.anchors.difference(&chinese[path].anchors).collect();
        assert!(missing.is_empty(), "the Chinese {} lacks {missing:?}", path.display());
    }
}

#[test]
fn no_directive_is_left() {
    for edition in BOOK.iter() {
        for (path, page) in edition {
            assert!(!page.text.contains("{{#"), "{}: a directive is left", path.display());
        }
    }
}
