//! MariaDB servers: one for the whole test program, which ends with it, and others for single tests.

use std::{
    iter,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub struct Server {
    pub port: u16,
    pub socket: String,
    _folder: TempDir,
    /// Its standard input keeps the server alive: it is stopped when that closes, and that happens
    /// when this process ends, however it ends.
    _keeper: Child,
}

/// The server, started by the first test that asks.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// `$1` the folder, `$2` the port, then further options. The folder goes with the server.
const KEEPER: &str = r#"
set -eu
user=$(id -un)
folder=$1
port=$2
shift 2
mariadb-install-db --no-defaults --user="$user" --datadir="$folder/data" --skip-test-db \
  --auth-root-authentication-method=normal >"$folder/install.log" 2>&1
mariadbd --no-defaults --user="$user" --datadir="$folder/data" --bind-address=127.0.0.1 --port="$port" \
  --socket="$folder/s.sock" --pid-file="$folder/pid" --innodb-flush-log-at-trx-commit=0 \
  --innodb-buffer-pool-size=64M --max-connections=300 "$@" >"$folder/log" 2>&1 &
cat >/dev/null
kill -9 $! 2>/dev/null || true
wait || true
rm -rf "$folder"
"#;

impl Server {
    /// A server with further options.
    pub fn start(options: &[&str]) -> Self {
        let found = Command::new("mariadbd").arg("--version").stdout(Stdio::null()).status();
        assert!(found.is_ok(), "mariadbd is not installed: run tests/run, which sees to it");
        // Until the server has it, anybody else may take the free port that was found.
        iter::repeat_with(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        })
        .find_map(|port| Self::start_at(port, options))
        .unwrap()
    }

    /// None where somebody else has the port.
    fn start_at(port: u16, options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", &path, &port.to_string()])
            .args(options)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let socket = format!("{path}/s.sock");
        let deadline = Instant::now() + Duration::from_secs(180);
        let answers = || {
            let mut ping = Command::new("mariadb-admin");
            ping.args(["--no-defaults", "-uroot", "-S", &socket, "ping"]);
            ping.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|it| it.success())
        };
        while !answers() {
            let log = std::fs::read_to_string(format!("{path}/log")).unwrap_or_default();
            if log.contains("Bind on TCP/IP port") {
                drop(keeper.stdin.take());
                keeper.wait().unwrap();
                return None;
            }
            assert!(Instant::now() < deadline, "MariaDB does not start: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Self { port, socket, _folder: folder, _keeper: keeper })
    }
}

#[test]
fn a_port_in_use_differs_from_a_server_that_does_not_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(Server::start_at(taken.local_addr().unwrap().port(), &[]).is_none());
}
