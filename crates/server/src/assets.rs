//! The page's own files: embedded in the binary, or read from a folder while working on them. Files under `/v/HASH/`
//! never change, since the hash is that of all of them; the three HTML pages are filled in for each request.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use compactvault_vault::Digest;
use regex::bytes::Regex;

use crate::auth::cookies;

static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/web_files.rs"));

/// What the page may do: run and fetch what this server sends, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; \
     frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types cv";

/// What runs first.
const BEGIN: &str = "app.js";

/// A module that another needs before it can run; those that are asked for later stand in brackets.
static IMPORT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"\b(?:import|export)\b[\w$*{},\s]*['"](\.{1,2}/[^'"]+)['"]"#;
    Regex::new(pattern).expect("it is a regular expression")
});

/// Where the page's files come from.
#[derive(Debug)]
pub(crate) enum Web {
    /// The binary, with the path prefix that their hash gives and what is asked for at once.
    Embedded { prefix: String, preloads: String },
    /// A folder, read afresh each time and never cached.
    Folder(PathBuf),
}

/// The pages that are HTML of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The application.
    Index,
    /// The form for the password.
    SignIn,
    /// Choosing a vault.
    Vaults,
}

impl Web {
    /// The embedded files, or those in `folder`.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        if let Some(folder) = folder {
            return Self::Folder(folder);
        }
        let prefix = embedded_prefix();
        let preloads = preloads(&prefix, |path| Ok(embedded(path).map(Cow::Borrowed)));
        Self::Embedded {
            preloads: preloads.expect("what the binary carries is read without errors"),
            prefix,
        }
    }

    /// What `/favicon.ico` stands for; browsers ask for it beside anything that is not a page of ours.
    pub(crate) fn icon(&self) -> String {
        format!("{}/icon.svg", self.prefix())
    }

    fn prefix(&self) -> &str {
        match self {
            Self::Embedded { prefix, .. } => prefix,
            Self::Folder(_) => "/v/dev",
        }
    }

    async fn preloads(&self) -> io::Result<Cow<'_, str>> {
        match self {
            Self::Embedded { preloads, .. } => Ok(Cow::Borrowed(preloads)),
            Self::Folder(folder) => {
                let folder = folder.clone();
                let read = move || {
                    preloads("/v/dev", |path| {
                        let read = std::fs::read(folder.join(path)).map(Cow::Owned).map(Some);
                        read.or_else(|error| absent(error).map(|()| None))
                    })
                };
                let preloads = tokio::task::spawn_blocking(read).await;
                Ok(Cow::Owned(preloads.map_err(io::Error::other)??))
            }
        }
    }

    async fn load(&self, path: &str) -> io::Result<Option<Cow<'static, [u8]>>> {
        let is_plain =
            |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\\');
        if !path.split('/').all(is_plain) {
            return Ok(None);
        }
        match self {
            Self::Embedded { .. } => Ok(embedded(path).map(Cow::Borrowed)),
            Self::Folder(folder) => match tokio::fs::read(folder.join(path)).await {
                Ok(bytes) => Ok(Some(Cow::Owned(bytes))),
                Err(error) => absent(error).map(|()| None),
            },
        }
    }

    /// `/v/{version}/{path}`; `None` where there is no such file.
    pub(crate) async fn file(&self, version: &str, path: &str) -> io::Result<Option<Response>> {
        if self.prefix().strip_prefix("/v/") != Some(version) {
            return Ok(None);
        }
        let Some(bytes) = self.load(path).await? else {
            return Ok(None);
        };
        let cache = match self {
            Self::Embedded { .. } => "public, max-age=31536000, immutable",
            Self::Folder(_) => "no-store",
        };
        let mut response = Response::new(Body::from(bytes));
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(media_type(path)),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        Ok(Some(response))
    }

    /// A page with its placeholders filled in. `message` is escaped.
    pub(crate) async fn page(
        &self,
        page: Page,
        status: StatusCode,
        headers: &HeaderMap,
        message: &str,
    ) -> io::Result<Response> {
        let name = match page {
            Page::Index => "index.html",
            Page::SignIn => "sign-in.html",
            Page::Vaults => "vaults.html",
        };
        let Some(bytes) = self.load(name).await? else {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("web/{name} is missing"),
            ));
        };
        let html = String::from_utf8_lossy(&bytes)
            .replace("{{preloads}}", &self.preloads().await?)
            .replace("{{prefix}}", self.prefix())
            .replace("{{theme}}", theme(headers))
            .replace("{{message}}", &escape(message));
        let mut response = Response::new(Body::from(html));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let fixed = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        ];
        for (name, value) in fixed {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(
            "cross-origin-opener-policy",
            HeaderValue::from_static("same-origin"),
        );
        Ok(response)
    }
}

fn embedded(path: &str) -> Option<&'static [u8]> {
    let found = EMBEDDED.binary_search_by_key(&path, |(name, _)| name);
    found.ok().map(|index| EMBEDDED[index].1)
}

/// A file that is not there is no error.
fn absent(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

/// Links that ask for everything that `app.js` needs, all at once instead of level by level.
fn preloads<'f>(
    prefix: &str,
    read: impl Fn(&str) -> io::Result<Option<Cow<'f, [u8]>>>,
) -> io::Result<String> {
    let mut needed = BTreeSet::new();
    let mut waiting = vec![BEGIN.to_owned()];
    while let Some(path) = waiting.pop() {
        let text = read(&path)?.unwrap_or_default();
        let specifiers = IMPORT.captures_iter(&text).map(|found| found[1].to_vec());
        for specifier in specifiers {
            let target = beside(&path, &String::from_utf8_lossy(&specifier));
            if needed.insert(target.clone()) {
                waiting.push(target);
            }
        }
    }
    let link = |path| format!("<link rel=\"modulepreload\" href=\"{prefix}/{path}\">");
    Ok(needed.iter().map(link).collect())
}

/// What a module means by a relative address.
fn beside(path: &str, specifier: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn embedded_prefix() -> String {
    let digests: Vec<u8> = EMBEDDED
        .iter()
        .flat_map(|(name, bytes)| [Digest::of(name.as_bytes()), Digest::of(bytes)])
        .flat_map(|digest| *digest.as_bytes())
        .collect();
    let hash = Digest::of(&digests).to_string();
    format!("/v/{}", &hash[..16])
}

fn theme(headers: &HeaderMap) -> &'static str {
    match cookies(headers).find(|(name, _)| *name == "cv-theme") {
        Some((_, "dark")) => "dark",
        Some((_, "light")) => "light",
        _ => "system",
    }
}

/// Text for HTML, in element content and in quoted attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "json" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_holds_no_tests() {
        assert!(EMBEDDED.is_sorted_by_key(|(name, _)| name));
        assert!(
            EMBEDDED
                .iter()
                .all(|(name, _)| !name.starts_with("tests/") && *name != "package.json")
        );
        assert_eq!(embedded_prefix().len(), "/v/".len() + 16);
    }

    /// What the first screen fetches, in bytes before compression: page, icon, sheets, `app.js` and what is preloaded.
    const FIRST_BYTES_MAX: usize = 220_000;
    /// All of it, with the viewers and places that are fetched when somebody goes there.
    const ALL_BYTES_MAX: usize = 300_000;

    #[test]
    fn the_page_stays_small() {
        let page = String::from_utf8_lossy(embedded("index.html").unwrap());
        let preloads = preloads("{{prefix}}", |path| Ok(embedded(path).map(Cow::Borrowed)));
        let page = page.replace("{{preloads}}", &preloads.unwrap());
        let (mut first, mut all) = (page.len(), 0);
        for (name, bytes) in EMBEDDED {
            all += bytes.len();
            if page.contains(&format!("\"{{{{prefix}}}}/{name}\"")) {
                first += bytes.len();
            }
        }
        assert!(
            first <= FIRST_BYTES_MAX,
            "the first screen fetches {first} bytes"
        );
        assert!(all <= ALL_BYTES_MAX, "the whole page has {all} bytes");
    }

    #[test]
    fn all_that_the_first_screen_needs_is_asked_for_at_once() {
        let files = [
            (
                "app.js",
                "import { a } from './lib/a.js';\nimport './b.js';\nimport {\n  c,\n} from './c.js';\n\
                        const later = () => import('./later.js');",
            ),
            (
                "lib/a.js",
                "export{d}from'../d.js';import*as e from\"./e.js\";",
            ),
            ("b.js", "import f,{g}from'./lib/e.js';const text='import';"),
        ];
        let read = |path: &str| {
            let found = files.iter().find(|(name, _)| *name == path);
            Ok(found.map(|(_, text)| Cow::Borrowed(text.as_bytes())))
        };
        let links = preloads("/v/dev", read).unwrap();
        let asked: Vec<&str> = links.split('"').filter(|part| part.contains('/')).collect();
        let needed = ["b.js", "c.js", "d.js", "lib/a.js", "lib/e.js"];
        assert_eq!(asked, needed.map(|name| format!("/v/dev/{name}")));
    }

    #[tokio::test]
    async fn a_folder_gives_only_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("web")).unwrap();
        std::fs::write(dir.path().join("secret.js"), "no").unwrap();
        std::fs::write(dir.path().join("web/app.js"), "yes").unwrap();
        let web = Web::new(Some(dir.path().join("web")));
        assert!(web.file("dev", "app.js").await.unwrap().is_some());
        for path in [
            "../secret.js",
            "",
            ".",
            "./app.js",
            "x.js",
            "a//b",
            "..\\secret.js",
        ] {
            assert!(web.file("dev", path).await.unwrap().is_none(), "{path}");
        }
        assert!(web.file("other", "app.js").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn placeholders_are_filled_in_and_escaped() {
        let dir = tempfile::tempdir().unwrap();
        let html = "<html data-theme=\"{{theme}}\"><a href=\"{{prefix}}/x\">{{message}}";
        std::fs::write(dir.path().join("sign-in.html"), html).unwrap();
        let web = Web::new(Some(dir.path().to_owned()));
        let mut headers = HeaderMap::new();
        headers.insert("cookie", "cv-theme=dark".parse().unwrap());
        let page = web.page(
            Page::SignIn,
            StatusCode::OK,
            &headers,
            "<b> & \"q\" {{prefix}}",
        );
        let body = axum::body::to_bytes(page.await.unwrap().into_body(), 1 << 20)
            .await
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&body),
            "<html data-theme=\"dark\"><a href=\"/v/dev/x\">&lt;b&gt; &amp; &quot;q&quot; {{prefix}}"
        );
    }
}
