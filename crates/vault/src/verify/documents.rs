//! The pass over the documents that lie in the vault: each against the digest that entry 0 seals.

use std::collections::BTreeMap;

use super::Pass;
use crate::error::ReadError;
use crate::ids::{Digest, Seq};
use crate::store::pool::Connection;
use crate::store::rows::VaultBody;
use crate::store::{prove, read};

impl Pass<'_> {
    /// Every document against its digest. Entry 0 of vaults from before documents were sealed names none.
    pub(super) fn documents(&self, connection: &Connection) -> Result<(), ReadError> {
        let Some(body) = read::entry(connection, Seq::VAULT)?.body else {
            return Ok(());
        };
        // That it describes a vault was checked when the vault was opened.
        let sealed = serde_json::from_slice::<VaultBody>(&body)
            .map(|body| body.documents)
            .unwrap_or_default();
        if sealed.is_empty() {
            return Ok(());
        }
        let mut missing: BTreeMap<String, String> = sealed;
        for (name, digest) in prove::documents(connection)? {
            let problem = match missing.remove(&name) {
                None => "was never sealed",
                Some(sealed) if sealed.parse() == Ok::<Digest, ()>(digest) => continue,
                Some(_) => "differs from what entry 0 seals",
            };
            self.document(&name, problem);
        }
        for name in missing.keys() {
            self.document(name, "is missing");
        }
        Ok(())
    }

    fn document(&self, name: &str, problem: &str) {
        let name = name.escape_debug();
        self.lost("document", None, format!("the document {name} {problem}"));
    }
}
