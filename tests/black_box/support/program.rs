use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use closte_sync::{app::Settings, settings::Layers, simulator::Simulator};
use serde_json::Value;
use tempfile::TempDir;

use super::{Network, eventually, outside::empty_resolver};

/// The key that the practice Closte accepts.
pub const KEY: &str = "m4rker-key-of-the-account";

/// The real program with its settings, all of them in the environment, and a state of its own.
#[derive(Clone)]
pub struct Program {
    pub path: PathBuf,
    environment: BTreeMap<String, String>,
    folder: Arc<TempDir>,
}

/// What a finished command left.
#[derive(Debug)]
pub struct Finished {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Finished {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Program {
    /// Without any setting.
    pub fn bare() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let state = format!("sqlite:{}", folder.path().join("state.db").display());
        let path = PathBuf::from(env!("CARGO_BIN_EXE_closte-sync"));
        Self { path, environment: BTreeMap::new(), folder }.with("CLOSTE_SYNC__STATE__URL", &state)
    }

    /// Between a network and a practice Closte, as quick as the settings allow.
    pub fn new(network: &Network, closte: &Simulator) -> Self {
        Self::bare()
            .with("CLOSTE_SYNC__WORDPRESS__DATABASE_URL", &network.url)
            .with("CLOSTE_SYNC__CLOSTE__BASE_URL", &closte.base_url())
            .with("CLOSTE_CLIENT_API_KEY", KEY)
            .with("CLOSTE_SYNC__CLOSTE__TIMEOUT", "5s")
            .with("CLOSTE_SYNC__CLOSTE__LIST_INTERVAL", "1s")
            .with("CLOSTE_SYNC__SYNC__INTERVAL", "1s")
            .with("CLOSTE_SYNC__SYNC__REMOVAL_GRACE", "0s")
            .with("CLOSTE_SYNC__SYNC__RECORD_GRACE", "0s")
            .with("CLOSTE_SYNC__CHECKS__RESOLVERS", &empty_resolver().to_string())
            .with("CLOSTE_SYNC__CHECKS__EXPECTED_TARGETS", "127.0.0.1")
            // Nothing listens there.
            .with("CLOSTE_SYNC__CHECKS__HTTP_PORT", "1")
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    pub fn state_path(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    /// A file in the program's folder with this content.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What the program makes of its settings.
    pub fn settings(&self) -> Settings {
        let environment = self.environment.clone();
        Settings::load(&Layers { environment, ..Layers::default() }).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).env_clear().envs(&self.environment).stdin(Stdio::null());
        command
    }

    /// Started in the folder that its files are in.
    pub async fn run_in_its_folder(&self, arguments: &[&str]) -> Finished {
        let mut command = self.command(arguments);
        command.current_dir(self.folder.path());
        Self::finish(command).await
    }

    pub async fn run(&self, arguments: &[&str]) -> Finished {
        Self::finish(self.command(arguments)).await
    }

    async fn finish(mut command: Command) -> Finished {
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        Finished {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn start_daemon(&self) -> Daemon {
        self.start(&["run"])
    }

    /// Starts a command that goes on until it is stopped. Its output and its log are one.
    pub fn start(&self, arguments: &[&str]) -> Daemon {
        self.start_command(self.command(arguments), arguments)
    }

    /// The same, started in the folder that its files are in.
    pub fn start_in_its_folder(&self, arguments: &[&str]) -> Daemon {
        let mut command = self.command(arguments);
        command.current_dir(self.folder.path());
        self.start_command(command, arguments)
    }

    /// The same as the first process of a container: with process numbers of its own, and without the default
    /// actions for signals. None where this system does not allow that.
    pub async fn start_as_first_process(&self, arguments: &[&str]) -> Option<Daemon> {
        let may = |user: &[&str]| {
            let mut command = Command::new("unshare");
            command.args(user).args(["--pid", "--fork", "true"]).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let users = [&[][..], &["--user", "--map-root-user"]];
        let Some(user) = users.into_iter().find(|user| may(user)) else {
            println!("unshare is not allowed here: this cannot be tested");
            return None;
        };
        let mut command = Command::new("/usr/bin/unshare");
        command
            .args(user)
            .args(["--pid", "--fork", "--kill-child", "--"])
            .arg(&self.path)
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::null());
        let mut daemon = self.start_command(command, arguments);
        let children = format!("/proc/{0}/task/{0}/children", daemon.id());
        let state = format!("/proc/{}/stat", daemon.id());
        eventually("it was started", async || {
            // It may have ended before it was seen, and unshare with it.
            let has_ended = fs::read_to_string(&state).unwrap().contains(") Z ");
            let child = fs::read_to_string(&children).unwrap_or_default();
            let child = child.split_whitespace().next().map(|child| child.parse().unwrap());
            daemon.process = child.unwrap_or(daemon.process);
            child.is_some() || has_ended
        })
        .await;
        Some(daemon)
    }

    fn start_command(&self, mut command: Command, arguments: &[&str]) -> Daemon {
        let log = self.folder.path().join(format!("{}.log", arguments[0]));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        writeln!(&file, "-- start").unwrap();
        let out = file.try_clone().unwrap();
        let child = command.stderr(file).stdout(out).spawn().unwrap();
        Daemon { process: child.id(), child, log, _folder: self.folder.clone() }
    }
}

/// A running program. It is killed when dropped.
pub struct Daemon {
    child: Child,
    /// The number of the program's own process.
    process: u32,
    log: PathBuf,
    _folder: Arc<TempDir>,
}

impl Daemon {
    /// Everything that it, and daemons before it in the same folder, logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn id(&self) -> u32 {
        self.process
    }

    pub async fn logs(&self, text: &str) {
        let what = format!("the log says {text}");
        eventually(&what, async || self.log().contains(text)).await;
    }

    pub fn signal(&self, signal: &str) {
        let id = self.process.to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for its end, and returns the exit status, -1 for a signal.
    pub async fn ends(&mut self) -> i32 {
        let mut status = None;
        eventually("the daemon ends", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap().code().unwrap_or(-1)
    }

    pub async fn stop(mut self) -> i32 {
        self.signal("-TERM");
        self.ends().await
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The clock of a machine, as a program that runs there sees it. How long something lasts is not its
/// matter: that stays as it is.
pub struct FakeClock {
    file: PathBuf,
    preload: PathBuf,
    _folder: TempDir,
}

impl FakeClock {
    /// That of this machine, until it is set.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let preload = fs::read_dir("/usr/lib")
            .unwrap()
            .map(|one| one.unwrap().path().join("faketime/libfaketimeMT.so.1"))
            .find(|path| path.exists())
            .expect("libfaketime (Debian's package faketime) is needed");
        let clock = Self { file: folder.path().join("clock"), preload, _folder: folder };
        clock.set(0);
        clock
    }

    /// Sets it so many seconds ahead of this machine's.
    pub fn set(&self, ahead: i64) {
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{ahead:+}")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    /// The program on that machine.
    pub fn of(&self, program: Program) -> Program {
        program
            .with("LD_PRELOAD", self.preload.to_str().unwrap())
            .with("FAKETIME_TIMESTAMP_FILE", self.file.to_str().unwrap())
            .with("FAKETIME_NO_CACHE", "1")
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .with("NO_FAKE_STAT", "1")
    }
}
