//! Ctrl+C: what was read whole is sealed, nothing half, and the same command goes on.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::harness::{Place, Ran, assert_same_tree, noise, write};

pub(crate) fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process id"), Signal::INT).expect("it still runs");
}

pub(crate) fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().expect("it ends");
    Ran {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn add_stops_in_good_order_and_goes_on() {
    let source = Place::empty();
    for number in 0..600 {
        write(source.path(format!("src/{number}")), noise(number, 150_000));
    }
    let tree = source.path("src");
    // How far it gets depends on the machine: ask earlier until it was not done yet.
    for wait_ms in [200, 100, 50, 25, 12, 6] {
        let place = Place::with_vault();
        let args = [
            "add".as_ref(),
            "--to".as_ref(),
            "P".as_ref(),
            tree.as_os_str(),
        ];
        let child = place
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(wait_ms));
        interrupt(&child);
        let ran = ended(child);
        if ran.code == Some(0) {
            continue;
        }
        if ran.code.is_none() {
            // It had not come to listen to signals yet.
            return;
        }
        ran.expect_code(1);
        assert!(ran.stderr.contains("stopped before the end"), "{ran:?}");
        assert_eq!(place.names(), ["v.vault"]);
        place.verify_clean();
        place.run(args).expect_code(0);
        place.run(["export", "--out", "out"]).expect_code(0);
        assert_same_tree(&tree, &place.path("out/P/src"));
        return;
    }
    panic!("it was always done before it was asked to stop");
}

#[test]
fn half_of_standard_input_is_not_sealed() {
    let place = Place::with_vault();
    let mut child = place
        .command(["--json", "add", "--to", "P/C", "--name", "dump", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&noise(1, 5_000_000)).expect("it reads");
    interrupt(&child);
    // As where Ctrl+C kills the program at the other end, too.
    drop(stdin);
    let ran = ended(child);
    ran.expect_code(1);
    assert!(ran.stderr.contains("nothing was sealed"), "{ran:?}");
    assert_eq!(ran.json()["error"]["code"], "stopped");
    assert_eq!(place.run(["ls", "P/C"]).text(), "");
    place.verify_clean();
}
