//! Servers that are measured: ours, nginx and copyparty, each at a port of its own, and stopped in any case.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::http::Connection;
use super::machine::{field, kib};
use super::peers::Copyparty;
use super::timed::megabytes;
use crate::corpus::server as ours;
use crate::process::command;

/// How long a server may take to listen, and to end.
const PATIENCE: Duration = Duration::from_mins(1);
/// A tick of the times in `/proc`; the same on all Linux systems.
const TICKS_PER_SECOND: f64 = 100.0;

/// A child that does not outlive its owner.
pub(super) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Asks it to end, and waits until it has.
    pub(super) fn stop(mut self) -> Result<()> {
        self.ask_to_end()?;
        let status = self.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    fn ask_to_end(&self) -> Result<()> {
        let pid = self.child.id().to_string();
        let asked = command("kill", Path::new("/"), ["-TERM", &pid]).status()?;
        ensure!(asked.success(), "process {pid} cannot be asked to end");
        Ok(())
    }

    fn wait(&mut self) -> Result<std::process::ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(started.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The most resident memory it ever had.
    pub(super) fn peak_memory_mb(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        Ok(megabytes(kib(field(&status, "VmHWM")) * 1024))
    }

    /// Processor time of all its threads so far.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in brackets may hold anything, so counting begins behind it.
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        let fields: Vec<&str> = behind.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).context("times in /proc")?;
        Ok((user + system) / TICKS_PER_SECOND)
    }

    /// Waits until something listens at the address.
    fn await_listening(&mut self, address: &str) -> Result<()> {
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status} before it listened at {address}");
            }
            ensure!(started.elapsed() < PATIENCE, "nothing listens at {address}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // SIGTERM first: a killed nginx would leave its workers behind. It may have ended long ago.
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.ask_to_end();
            let _ = self.wait();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our server.
pub(super) struct Ours {
    pub(super) daemon: Daemon,
    pub(super) address: String,
}

impl Ours {
    /// Serves the vault that lies alone in `folder`.
    pub(super) fn start(binary: &Path, folder: &Path, state: &Path) -> Result<Self> {
        let mut command = guarded(&ours::command(binary, folder, state, "127.0.0.1:0"));
        let child = command.arg("--quiet").stdout(Stdio::piped()).spawn();
        let mut daemon = Daemon {
            child: child.context("our server cannot be started")?,
        };
        let address = ours::address_of(&mut daemon.child)?;
        Ok(Self { daemon, address })
    }

    pub(super) fn connect(&self) -> Result<Connection> {
        Connection::open(&self.address, Some(&credentials()))
    }
}

/// What our server asks for.
pub(super) fn credentials() -> String {
    format!("bench:{}", ours::PASSWORD)
}

/// Any server of files.
pub(super) struct Peer {
    pub(super) daemon: Daemon,
    pub(super) address: String,
}

impl Peer {
    /// Serves the files of a folder; what nginx needs for itself is written to `home`.
    pub(super) fn nginx(program: &Path, folder: &Path, home: &Path) -> Result<Self> {
        let address = free_address()?;
        let prefix = home.join("nginx");
        fs::create_dir_all(&prefix)?;
        let configuration = prefix.join("nginx.conf");
        fs::write(&configuration, nginx_configuration(&address, folder)?)?;
        let mut nginx = command(program, home, ["-e", "stderr", "-p"]);
        nginx.arg(&prefix).arg("-c").arg(&configuration);
        Self::start(&mut guarded(&nginx), address)
    }

    /// Takes uploads into `volume`.
    pub(super) fn copyparty(copyparty: &Copyparty, volume: &Path, home: &Path) -> Result<Self> {
        let address = free_address()?;
        let (_, port) = address.split_once(':').context("an address has a port")?;
        let words = ["-m", "copyparty", "-q", "-i", "127.0.0.1", "-p", port];
        let mut server = command(&copyparty.python, home, words);
        server.args(["--http-only", "-e2d", "-v"]);
        server.arg(format!("{}::rw", volume.display()));
        let mut server = guarded(&server);
        isolate(&mut server, home);
        Self::start(&mut server, address)
    }

    fn start(command: &mut Command, address: String) -> Result<Self> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let name = || format!("the server at {address} cannot be started");
        let mut daemon = Daemon {
            child: child.with_context(name)?,
        };
        daemon.await_listening(&address)?;
        Ok(Self { daemon, address })
    }
}

/// Programs keep settings of their own; those of the person who measures must not count, nor be changed.
pub(super) fn isolate(command: &mut Command, home: &Path) {
    command.env("HOME", home);
    command.env("XDG_CONFIG_HOME", home.join("config"));
}

/// The same command, ended by the system when this program ends, even where it is killed.
fn guarded(command: &Command) -> Command {
    let mut guarded = Command::new("setpriv");
    guarded.args(["--pdeathsig", "TERM", "--"]);
    guarded.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        guarded.current_dir(folder);
    }
    let set = command
        .get_envs()
        .filter_map(|(key, value)| Some((key, value?)));
    guarded.envs(set);
    guarded
}

/// Between this and its use another program might take it; then the server says so.
fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
    Ok(listener.local_addr()?.to_string())
}

fn nginx_configuration(address: &str, folder: &Path) -> Result<String> {
    // Workers of root become nobody, who may not read everything that root's bench makes.
    let user = match fs::metadata("/proc/self")?.uid() {
        0 => "user root;",
        _ => "",
    };
    let paths: Vec<String> = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {name};"))
        .collect();
    Ok(format!(
        "{user} daemon off; worker_processes auto; pid nginx.pid; error_log stderr crit;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n\
         access_log off; sendfile on; keepalive_requests 1000000;\n\
         default_type application/octet-stream;\n\
         {}\n\
         server {{ listen {address}; location / {{ root \"{}\"; }} }}\n\
         }}\n",
        paths.join(" "),
        folder.display()
    ))
}

/// A folder of the run that is made anew.
pub(super) fn fresh(folder: PathBuf) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir(&folder)?;
    Ok(folder)
}
