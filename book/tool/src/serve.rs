//! Serves the book to a browser, and builds it anew when a file changes.

use std::fs::File;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;

use anyhow::{Result, anyhow};
use notify::{RecursiveMode, Watcher};
use tiny_http::{Header, Method, Request, Response, Server};

use crate::checkout::ROOT;
use crate::{build, checkout};

/// Browsers ask for several files at a time.
const THREADS: usize = 4;

/// Serves until the process is ended.
///
/// # Errors
/// The address is taken, or not one of this machine's.
pub fn serve(hostname: &str, port: u16) -> Result<()> {
    let address = format!("{hostname}:{port}");
    let server = Server::http(&address).map_err(|error| {
        anyhow!("cannot listen on {address}: {error}\n  do: give another --port")
    })?;
    let address = server.server_addr();
    eprintln!("English: http://{address}/\n中文：   http://{address}/zh-CN/\nCtrl-C ends it.");
    let server = Arc::new(server);
    for _ in 0..THREADS {
        let server = Arc::clone(&server);
        std::thread::spawn(move || {
            for request in server.incoming_requests() {
                // Who has closed the connection wants no answer.
                let _ = answer(request);
            }
        });
    }
    rebuild_on_change()
}

fn answer(request: Request) -> std::io::Result<()> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(Response::empty(405));
    }
    let found = file(request.url()).and_then(|path| Some((File::open(&path).ok()?, path)));
    let Some((file, path)) = found else {
        return request.respond(Response::from_string("not found").with_status_code(404));
    };
    let kind = Header::from_bytes("Content-Type", content_type(&path)).expect("plain letters");
    request.respond(Response::from_file(file).with_header(kind))
}

/// The file of an address; nothing outside of the book.
fn file(url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?.trim_start_matches('/');
    let is_plain = |part: Component| matches!(part, Component::Normal(_));
    if !Path::new(path).components().all(is_plain) {
        return None;
    }
    let file = build::destination().join(path);
    Some(if file.is_dir() { file.join("index.html") } else { file })
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|it| it.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "text/plain; charset=utf-8",
    }
}

fn rebuild_on_change() -> Result<()> {
    let (changed, changes) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let is_change = event.is_ok_and(|event| event.kind.is_create() || event.kind.is_modify());
        if is_change {
            let _ = changed.send(());
        }
    })?;
    for folder in ["src", "po", "theme", "figures"] {
        let folder = checkout::book().join(folder);
        if folder.exists() {
            watcher.watch(&folder, RecursiveMode::Recursive)?;
        }
    }
    watcher.watch(&ROOT.join("README.md"), RecursiveMode::NonRecursive)?;
    while changes.recv().is_ok() {
        // An editor writes several times.
        while changes.recv_timeout(std::time::Duration::from_millis(200)).is_ok() {}
        match build::build(&build::destination()) {
            Ok(()) => eprintln!("built anew"),
            Err(error) => eprintln!("not built: {error:#}"),
        }
    }
    Ok(())
}
