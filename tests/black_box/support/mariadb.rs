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
    folder: TempDir,
    /// Its standard input keeps the server alive: it is stopped when that closes, and that happens
    /// when this process ends, however it ends.
    _keeper: Child,
}

/// The server, started by the first test that asks.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(&[]))
}

/// `$1` the folder, `$2` the port, then further options. The folder goes with the server. A server that ends
/// is started again.
const KEEPER: &str = r#"
set -eu
user=$(id -un)
folder=$1
port=$2
shift 2
mariadb-install-db --no-defaults --user="$user" --datadir="$folder/data" --skip-test-db \
  --auth-root-authentication-method=normal >"$folder/install.log" 2>&1
serve() {
  trap 'kill -9 $server 2>/dev/null; exit' TERM
  while :; do
    mariadbd --no-defaults --user="$user" --datadir="$folder/data" --bind-address=127.0.0.1 --port="$port" \
      --socket="$folder/s.sock" --pid-file="$folder/pid" --innodb-flush-log-at-trx-commit=0 \
      --innodb-buffer-pool-size=64M --max-connections=300 "$@" >>"$folder/log" 2>&1 &
    server=$!
    wait "$server" || sleep 0.2
  done
}
serve "$@" &
cat >/dev/null
kill "$!" 2>/dev/null || true
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

    /// Ends it in an orderly way. It is there again soon.
    pub fn restart(&self) {
        let file = self.folder.path().join("pid");
        let Ok(id) = std::fs::read_to_string(file) else { return };
        // It may end at this moment.
        let _ = Command::new("kill").arg(id.trim()).stderr(Stdio::null()).status();
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
        Some(Self { port, socket, folder, _keeper: keeper })
    }
}

#[test]
fn a_port_in_use_differs_from_a_server_that_does_not_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(Server::start_at(taken.local_addr().unwrap().port(), &[]).is_none());
}
