//! Paths in a vault as they are typed: `Project/Collection/Sub`, and ids.

use std::ffi::OsStr;

use compactvault_vault::{AssetId, Name, Seq};

use crate::exit::Usage;

/// Names of a path. Slashes at the ends and doubled ones mean nothing; no name holds one.
pub(crate) fn path(text: &OsStr) -> anyhow::Result<Vec<Name>> {
    bytes_of(text)?
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
        .map(|part| {
            Name::new(part).map_err(|error| {
                let shown = crate::names::shown_bytes(part);
                Usage(format!("“{shown}” cannot be part of a path: {error}")).into()
            })
        })
        .collect()
}

/// The asset of `123` or `#123`; `None` if it is a path.
pub(crate) fn id(text: &OsStr) -> Option<AssetId> {
    let text = text.to_str()?;
    let digits = text.strip_prefix('#').unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(|id| AssetId::new(Seq::new(id)))
}

/// The bytes of a name that was typed.
pub(crate) fn name(text: &OsStr) -> anyhow::Result<Name> {
    Ok(Name::new(bytes_of(text)?)?)
}

fn bytes_of(text: &OsStr) -> anyhow::Result<&[u8]> {
    if cfg!(unix) || text.to_str().is_some() {
        return Ok(text.as_encoded_bytes());
    }
    Err(Usage("a path in the vault must be valid Unicode here".into()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_separate_and_nothing_else() {
        let names = path(OsStr::new("/Glacier//Ice & Snow/a b/")).expect("a path");
        let names: Vec<_> = names.iter().map(Name::escaped).collect();
        assert_eq!(names, ["Glacier", "Ice & Snow", "a b"]);
        assert!(path(OsStr::new("")).expect("the vault").is_empty());
        assert!(path(OsStr::new("a/../b")).is_err());
    }

    #[test]
    fn ids_are_bare_numbers() {
        assert_eq!(id(OsStr::new("12")), Some(AssetId::new(Seq::new(12))));
        assert_eq!(id(OsStr::new("#12")), Some(AssetId::new(Seq::new(12))));
        for text in ["", "#", "12a", "+1", "1/2", "99999999999999999999"] {
            assert_eq!(id(OsStr::new(text)), None, "{text}");
        }
    }
}
