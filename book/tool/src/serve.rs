//! Serves the book to a browser, and builds it anew when a file changes.

use std::sync::mpsc::channel;

use anyhow::{Context, Result};
use axum::Router;
use notify::{RecursiveMode, Watcher};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tower_http::services::ServeDir;

use crate::checkout::ROOT;
use crate::{build, checkout};

/// Serves until the process is ended.
///
/// # Errors
/// The address is taken, or not one of this machine's.
pub fn serve(hostname: &str, port: u16) -> Result<()> {
    let runtime = Runtime::new()?;
    let listening = runtime.block_on(TcpListener::bind((hostname, port)));
    let listener = listening.with_context(|| {
        format!("cannot listen on {hostname}, port {port}; give another --hostname or --port")
    })?;
    let address = listener.local_addr()?;
    let book = Router::new().fallback_service(ServeDir::new(build::destination()));
    runtime.spawn(async { axum::serve(listener, book).await });
    eprintln!("English: http://{address}/\n中文：   http://{address}/zh-CN/\nCtrl-C ends it.");
    rebuild_on_change()
}

fn rebuild_on_change() -> Result<()> {
    let (changed, changes) = channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let is_change = event.is_ok_and(|event| event.kind.is_create() || event.kind.is_modify());
        if is_change {
            let _ = changed.send(());
        }
    })?;
    for folder in ["src", "po", "theme", "figures", "machine/page"] {
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
