//! Connections over which nobody has signed in yet, counted by address and in all, so that strangers can take neither
//! all places nor, from one address, many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::guesses::bucket;
use crate::limits::{STRANGERS_MAX, STRANGERS_PER_ADDRESS_MAX};

/// The count. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strangers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// What is known of whoever is at the other end of a connection. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing(Arc<Mutex<Option<Place>>>);

/// One connection in the count, until it is dropped.
#[derive(Debug)]
struct Place {
    strangers: Strangers,
    address: IpAddr,
}

impl Strangers {
    /// A place for a connection from `ip`, if there is one.
    pub(crate) fn admit(&self, ip: IpAddr) -> Option<Standing> {
        let address = bucket(ip);
        let mut count = lock(&self.0);
        let of_address = count.get(&address).copied().unwrap_or(0);
        if of_address >= STRANGERS_PER_ADDRESS_MAX || count.values().sum::<usize>() >= STRANGERS_MAX
        {
            return None;
        }
        count.insert(address, of_address + 1);
        drop(count);
        let place = Place {
            strangers: self.clone(),
            address,
        };
        Some(Standing(Arc::new(Mutex::new(Some(place)))))
    }
}

impl Standing {
    /// Whoever it is has signed in, and is no stranger from now on.
    pub(crate) fn is_known(&self) {
        // Dropped outside of the lock.
        let _place = lock(&self.0).take();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut count = lock(&self.strangers.0);
        match count.get_mut(&self.address) {
            Some(of_address) if *of_address > 1 => *of_address -= 1,
            _ => {
                count.remove(&self.address);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_leave_room_for_others_and_for_whoever_signs_in() {
        let strangers = Strangers::default();
        let ip = |n: usize| IpAddr::V4(u32::try_from(n).unwrap().into());
        let mut one: Vec<_> = (0..STRANGERS_PER_ADDRESS_MAX)
            .map(|_| strangers.admit(ip(1)).unwrap())
            .collect();
        assert!(strangers.admit(ip(1)).is_none());
        one[0].is_known();
        one.push(strangers.admit(ip(1)).unwrap());
        assert!(strangers.admit(ip(1)).is_none());
        let others: Vec<_> = (2..).map_while(|n| strangers.admit(ip(n))).collect();
        assert_eq!(others.len(), STRANGERS_MAX - STRANGERS_PER_ADDRESS_MAX);
        drop((one, others));
        assert!(lock(&strangers.0).is_empty());
    }
}
