//! The harness itself, on states and faults that it once found something with. Runs without the feature `inside`.

use compactvault_torture::fault::{Failure, Fault, Request};
use compactvault_torture::{faults, shim};

/// A read that the disk refuses has SQLite roll the transaction back by itself and go on without one. What came after it
/// was committed piece by piece: packs counted by parity and figures that no table had, and it could have been entries
/// whose chunks were gone. Each read of a short life is refused once; before, two of them left that behind.
#[test]
fn a_read_that_fails_within_a_transaction_ends_all_of_it() {
    shim::install();
    for at in 10..60 {
        let fault = Fault {
            failure: Failure::Read,
            request: Request::Read,
            at,
            sticky: false,
        };
        let lived = faults::live(7, Some(fault), |_| ()).expect("a life can be lived");
        lived
            .judge()
            .unwrap_or_else(|error| panic!("read {at}: {error:#}"));
    }
}
