//! Names on their way to a terminal, a pipe or JSON.

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use compactvault_vault::Name;
use compactvault_vault::name::escape_bytes;
use serde_json::{Map, Value};

/// A path in the vault, safe to show.
pub(crate) fn shown(path: &[Name]) -> String {
    path.iter().map(Name::escaped).collect::<Vec<_>>().join("/")
}

/// A path in the vault, exact.
pub(crate) fn raw(path: &[Name]) -> Vec<u8> {
    path.iter()
        .map(Name::as_bytes)
        .collect::<Vec<_>>()
        .join(&b'/')
}

/// A path of the file system, safe to show.
pub(crate) fn shown_path(path: &Path) -> String {
    compactvault_vault::paths::escaped(path)
}

/// Puts bytes under `key`, and exactly under `key_base64` where they are not UTF-8.
pub(crate) fn put(map: &mut Map<String, Value>, key: &str, bytes: &[u8]) {
    if std::str::from_utf8(bytes).is_err() {
        let exact = BASE64_STANDARD.encode(bytes);
        map.insert(format!("{key}_base64"), exact.into());
    }
    map.insert(key.into(), String::from_utf8_lossy(bytes).into());
}

/// Puts a path of the file system.
pub(crate) fn put_path(map: &mut Map<String, Value>, key: &str, path: &Path) {
    put(map, key, path.as_os_str().as_encoded_bytes());
}

/// Bytes of a link's target, safe to show.
pub(crate) fn shown_bytes(bytes: &[u8]) -> String {
    escape_bytes(bytes)
}
