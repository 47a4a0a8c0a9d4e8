//! What it costs to guess. Wrong passwords make the next ones wait, twice as long each time: by address, and, where
//! many addresses guess together, for all that have not signed in before. Nobody is locked out for ever, and neither
//! this machine nor an address from which somebody has signed in waits for the guesses of others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::{
    ADDRESSES_MAX, CALM, FREE_TRIES, FREE_TRIES_IN_ALL, REFUSED_MAX, REFUSED_WINDOW,
    WAIT_IN_ALL_MAX, WAIT_MAX,
};

/// What everybody did wrong lately.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    clients: HashMap<IpAddr, Client>,
    in_all: Tries,
    last_wrong: Option<Instant>,
}

/// What one address did.
#[derive(Clone, Copy, Debug)]
struct Client {
    window_start: Instant,
    refused: u32,
    tries: Tries,
    has_signed_in: bool,
}

/// Wrong passwords, and when the next one is looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    wrong: u32,
    blocked_until: Option<Instant>,
}

impl Tries {
    fn count(&mut self, free: u32, wait_max: Duration, now: Instant) {
        self.wrong = self.wrong.saturating_add(1);
        if self.wrong >= free {
            let doublings = (self.wrong - free).min(16);
            let wait = Duration::from_secs(1 << doublings).min(wait_max);
            self.blocked_until = Some(now + wait);
        }
    }

    fn blocked(&self, now: Instant) -> Option<Instant> {
        self.blocked_until.filter(|until| *until > now)
    }
}

impl Guesses {
    /// How long this address has to wait before a password from it is looked at, if at all.
    pub(crate) fn wait(&self, ip: IpAddr, now: Instant) -> Option<Duration> {
        let mut table = self.lock();
        let client = *table.client(ip, now);
        let own = client.tries.blocked(now);
        let in_all = table.in_all.blocked(now);
        let in_all = in_all.filter(|_| !client.has_signed_in && !is_here(ip));
        own.max(in_all).map(|until| until - now)
    }

    /// How long this address has to wait before anything without credentials is answered, if at all.
    pub(crate) fn wait_refused(&self, ip: IpAddr, now: Instant) -> Option<Duration> {
        let mut table = self.lock();
        let client = table.client(ip, now);
        let window_end = client.window_start + REFUSED_WINDOW;
        (client.refused >= REFUSED_MAX && window_end > now).then(|| window_end - now)
    }

    /// Counts a password that was wrong.
    pub(crate) fn wrong(&self, ip: IpAddr, now: Instant) {
        let mut table = self.lock();
        let client = table.client(ip, now);
        client.tries.count(FREE_TRIES, WAIT_MAX, now);
        if client.has_signed_in || is_here(ip) {
            return;
        }
        let is_calm = |last: Instant| now.saturating_duration_since(last) >= CALM;
        if table.last_wrong.replace(now).is_none_or(is_calm) {
            table.in_all = Tries::default();
        }
        table.in_all.count(FREE_TRIES_IN_ALL, WAIT_IN_ALL_MAX, now);
    }

    /// Takes note of a password that was right.
    pub(crate) fn right(&self, ip: IpAddr, now: Instant) {
        let mut table = self.lock();
        let client = table.client(ip, now);
        client.tries = Tries::default();
        client.has_signed_in = true;
    }

    /// Counts a request without valid credentials; the time to wait if there were too many.
    pub(crate) fn refused(&self, ip: IpAddr, now: Instant) -> Option<Duration> {
        let mut table = self.lock();
        let client = table.client(ip, now);
        if now.saturating_duration_since(client.window_start) >= REFUSED_WINDOW {
            client.window_start = now;
            client.refused = 0;
        }
        if client.refused >= REFUSED_MAX {
            return Some(client.window_start + REFUSED_WINDOW - now);
        }
        client.refused += 1;
        None
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn client(&mut self, ip: IpAddr, now: Instant) -> &mut Client {
        let ip = bucket(ip);
        let clients = &mut self.clients;
        if clients.len() >= ADDRESSES_MAX && !clients.contains_key(&ip) {
            let is_active = |client: &Client| {
                now.saturating_duration_since(client.window_start) < REFUSED_WINDOW
                    || client.tries.blocked(now).is_some()
                    || client.has_signed_in
            };
            clients.retain(|_, client| is_active(client));
            let oldest = clients
                .iter()
                .min_by_key(|(_, client)| (client.has_signed_in, client.window_start))
                .map(|(ip, _)| *ip);
            if let Some(oldest) = oldest.filter(|_| clients.len() >= ADDRESSES_MAX) {
                clients.remove(&oldest);
            }
        }
        clients.entry(ip).or_insert(Client {
            window_start: now,
            refused: 0,
            tries: Tries::default(),
            has_signed_in: false,
        })
    }
}

/// What counts as one address: all of an IPv6 /64, which one person has.
pub(crate) fn bucket(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

fn is_here(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + n).into())
    }

    #[test]
    fn many_addresses_that_guess_together_wait_for_each_other_and_the_owner_does_not() {
        let guesses = Guesses::default();
        let owner = ip(0);
        let mut now = Instant::now();
        guesses.right(owner, now);
        let mut looked_at = 0;
        let begun = now;
        // A thousand addresses, each with its free tries, as fast as they may.
        for n in 1..=1000 {
            if let Some(wait) = guesses.wait(ip(n), now) {
                now += wait;
            }
            guesses.wrong(ip(n), now);
            looked_at += 1;
            assert_eq!(guesses.wait(owner, now), None);
            assert_eq!(guesses.wait("::1".parse().unwrap(), now), None);
        }
        let took = now - begun;
        let expected = WAIT_IN_ALL_MAX * (looked_at - FREE_TRIES_IN_ALL - 10);
        assert!(took > expected, "{looked_at} guesses took {took:?}");
        assert!(guesses.wait(ip(2000), now).unwrap() <= WAIT_IN_ALL_MAX);
        now += CALM;
        assert_eq!(guesses.wait(ip(2000), now), None);
        guesses.wrong(ip(2000), now);
        assert_eq!(guesses.wait(ip(2001), now), None, "the count began again");
    }

    #[test]
    fn addresses_are_bounded_and_grouped() {
        let guesses = Guesses::default();
        let now = Instant::now();
        guesses.right(ip(0), now);
        for n in 1..10_000 {
            guesses.refused(ip(n), now + Duration::from_millis(n.into()));
        }
        let table = guesses.lock();
        assert!(table.clients.len() <= ADDRESSES_MAX);
        assert!(table.clients[&ip(0)].has_signed_in);
        drop(table);
        for n in 0..REFUSED_MAX {
            let ip = format!("2001:db8::{n:x}").parse().unwrap();
            assert_eq!(guesses.refused(ip, now), None);
        }
        let next = "2001:db8::ffff:1".parse().unwrap();
        assert_eq!(guesses.refused(next, now), Some(REFUSED_WINDOW));
    }
}
