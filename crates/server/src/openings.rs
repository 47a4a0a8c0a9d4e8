//! Who has begun which uploads, so that one client cannot take the places of all. Kept in memory: after a restart
//! everybody begins anew, and what the vault itself allows in all still holds.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::guesses::bucket;
use crate::limits::UPLOADS_PER_CLIENT_MAX;

/// Ids of uploads by address.
#[derive(Debug, Default)]
pub(crate) struct Openings(Mutex<HashMap<IpAddr, HashSet<String>>>);

impl Openings {
    /// Whether `ip` may go on with this upload, or begin it: it has not begun too many.
    pub(crate) fn begin(&self, ip: IpAddr, upload_id: &str) -> bool {
        let mut openings = self.lock();
        let ids = openings.entry(bucket(ip)).or_default();
        if ids.contains(upload_id) {
            return true;
        }
        ids.len() < UPLOADS_PER_CLIENT_MAX && ids.insert(upload_id.to_owned())
    }

    /// What `ip` has begun and, as far as is known here, not ended.
    pub(crate) fn begun(&self, ip: IpAddr) -> Vec<String> {
        let openings = self.lock();
        let begun = openings.get(&bucket(ip)).into_iter().flatten();
        begun.cloned().collect()
    }

    /// An upload has ended, or is the vault's business from now on.
    pub(crate) fn end(&self, ip: IpAddr, upload_id: &str) {
        let mut openings = self.lock();
        let ip = bucket(ip);
        if let Some(ids) = openings.get_mut(&ip) {
            ids.remove(upload_id);
            if ids.is_empty() {
                openings.remove(&ip);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, HashSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_cannot_take_all_places() {
        let openings = Openings::default();
        let (one, other): (IpAddr, IpAddr) =
            ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for n in 0..UPLOADS_PER_CLIENT_MAX {
            assert!(openings.begin(one, &format!("u{n}")));
        }
        assert!(!openings.begin(one, "more"));
        assert!(openings.begin(one, "u7"), "it goes on with its own");
        assert!(openings.begin(other, "more"));
        assert_eq!(openings.begun(one).len(), UPLOADS_PER_CLIENT_MAX);
        openings.end(one, "u7");
        assert!(openings.begin(one, "more"));
        assert!(!openings.begin(one, "and more"));
        openings.end(other, "more");
        assert!(openings.lock().len() == 1, "who has ended all is forgotten");
    }
}
