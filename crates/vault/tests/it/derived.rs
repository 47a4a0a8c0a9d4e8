//! Derived rows are nobody's truth: changed from outside they make errors, not other lists, and a writer makes
//! them again when asked from what is sealed.

use compactvault_vault::{CollectionId, ListQuery, ReadError, Severity, Vault, VerifyLevel};

use super::support::{Home, add, add_link, name, new_asset, noise, place, plain};

fn filled(home: &Home) -> CollectionId {
    let vault = home.create();
    let place = place(&vault);
    for n in 0..20_u64 {
        add(&vault, place, &format!("{}.txt", n % 15), &noise(n, 500));
    }
    add_link(&vault, place, "link", b"old");
    add_link(&vault, place, "link", b"new");
    vault.close().expect("the vault closes");
    place
}

fn everything(vault: &Vault, place: CollectionId) -> Result<String, ReadError> {
    let query = ListQuery {
        limit: 100,
        all_versions: true,
        ..ListQuery::default()
    };
    let page = vault.list(place, &query)?;
    let projects = vault.projects()?;
    let walked: Vec<_> = vault.walk(None, true)?.collect::<Result<_, _>>()?;
    let mut status = vault.status()?;
    status.file_bytes = 0;
    status.safe_to_copy = true;
    status.copy_hindrance = None;
    let log_size = page.log_size;
    Ok(format!(
        "{log_size} {page:?} {projects:?} {walked:?} {status:?}"
    ))
}

#[test]
fn changed_derived_rows_make_errors_and_are_made_again() {
    for change in [
        "DELETE FROM derived_listing WHERE seq = 7",
        "DELETE FROM derived_listing",
        "UPDATE derived_listing SET newest = 1 WHERE newest = 0",
        "UPDATE derived_listing SET media = media + 1 WHERE section = 1",
        "UPDATE derived_listing SET sort_key = x'00' WHERE seq = 9",
        "UPDATE derived_listing SET version = 7 WHERE seq = 9",
        "DELETE FROM derived_tally",
        "UPDATE derived_tally SET text_items = 3",
        "UPDATE derived_tally SET old_links = 0",
        "DELETE FROM derived_fact",
        "UPDATE derived_fact SET value = value + 1 WHERE id = 7",
        "INSERT INTO derived_unreferenced VALUES (1)",
    ] {
        let home = Home::new();
        let place = filled(&home);
        let vault = home.open();
        let before = everything(&vault, place).expect("it is intact");
        vault.close().expect("the vault closes");
        plain(&home.file())
            .execute_batch(change)
            .expect("other programs can do that");

        let vault = home.open();
        assert_eq!(vault.read_only(), None);
        let error = everything(&vault, place).expect_err(change);
        assert!(
            matches!(error, ReadError::Derived { .. }),
            "{change}: {error}"
        );
        let report = vault
            .verify(VerifyLevel::Full, &|_| ())
            .expect("verification ends");
        assert_eq!(report.worst(), Some(Severity::Repairable), "{change}");

        // Whoever adds something meanwhile is told, or is not concerned; nothing is sealed twice because of it.
        let entries = vault.log_size().expect("the log is intact");
        let ingest = vault.ingest().expect("it takes things in");
        let (ticket, _) = ingest
            .archive(
                new_asset(place, name("14.txt")),
                &mut noise(14, 500).as_slice(),
            )
            .expect("memory can be read");
        match ticket.wait() {
            Ok(sealed) => assert!(sealed.already_archived, "{change}"),
            Err(error) => assert_eq!(error.code(), "damaged", "{change}"),
        }
        assert_eq!(vault.log_size().expect("the log is intact"), entries);

        vault.rebuild_derived().expect("it is made again");
        let mended = everything(&vault, place).expect(change);
        assert_eq!(mended, before, "{change}");
        let report = vault
            .verify(VerifyLevel::Full, &|_| ())
            .expect("verification ends");
        assert_eq!(report.findings, [], "{change}");
        // What was believed of the lists before they were made again is not believed now.
        add(&vault, place, "14.txt", b"another version");
        add(&vault, place, "new.txt", b"new");
        let count = || everything(&vault, place).map(|_| vault.status());
        assert_eq!(count().expect(change).expect(change).assets, 22);
    }
}
