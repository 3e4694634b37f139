//! DNS as it is out there: a signed root with signed zones below it, served by knot, and two resolvers
//! (unbound) that know no other root, of which one validates. One for the whole test program, which
//! ends with it; nothing of it needs root.

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub struct Rig {
    /// A resolver that checks signatures.
    pub validating: SocketAddr,
    /// One that does not.
    pub trusting: SocketAddr,
    folder: TempDir,
    /// knot has one transaction at a time.
    transaction: Mutex<()>,
    /// Its standard input keeps the servers alive, as with the database's.
    _keeper: Child,
}

/// The servers, started by the first test that asks.
pub fn rig() -> &'static Rig {
    static RIG: OnceLock<Rig> = OnceLock::new();
    RIG.get_or_init(Rig::start)
}

/// A zone that is about to be served: of one label below `example.`, or below a zone served already.
#[must_use = "it is there when it is served"]
pub struct Zone {
    rig: &'static Rig,
    name: String,
    records: String,
    delegation: Delegation,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Delegation {
    Signed,
    /// The zone above says nothing of keys.
    Unsigned,
    /// The zone above names a key that the zone does not have.
    Bogus,
    /// Its name server cannot answer for it.
    Lame,
}

/// `$1` the folder. It goes with the servers.
const KEEPER: &str = r#"
cd "$1"
knotd -C "$1/conf" >knot.log 2>&1 & knot=$!
unbound -d -p -c "$1/validating.conf" >validating.log 2>&1 & one=$!
unbound -d -p -c "$1/trusting.conf" >trusting.log 2>&1 & other=$!
cat >/dev/null
kill -9 $knot $one $other 2>/dev/null
wait
rm -rf "$1"
"#;

impl Rig {
    fn start() -> Self {
        for tool in ["knotd", "knotc", "keymgr", "unbound"] {
            let found = Command::new(tool).arg("-h").output();
            assert!(found.is_ok(), "{tool} is not installed: run tests/run, which sees to it");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        let [authority, validating, trusting] =
            free_ports().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        for name in ["run", "db", "zones"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let zone = |name: &str, records: &str| {
            fs::write(folder.path().join(format!("zones/{name}.zone")), records).unwrap();
        };
        zone("root", &format!("{}ns.example. A 127.0.0.1\n", head(".")));
        zone("example", &format!("{}ns A 127.0.0.1\n", head("example.")));
        let configuration = format!(
            "server:\n  rundir: {path}/run\n  listen: 127.0.0.1@{port}\n\
             log:\n  - target: stdout\n    any: info\n\
             database:\n  storage: {path}/db\n\
             policy:\n  - id: signed\n    single-type-signing: on\n    ksk-lifetime: 0\n\
             template:\n  - id: default\n    storage: {path}/zones\n    zonefile-sync: -1\n    \
             zonefile-load: difference\n    journal-content: all\n    dnssec-policy: signed\n\
             zone:\n  - domain: .\n    file: root.zone\n    dnssec-signing: on\n  \
             - domain: example.\n    file: example.zone\n    dnssec-signing: on\n",
            port = authority.port()
        );
        fs::write(folder.path().join("knot.conf"), configuration).unwrap();
        let rig = |keeper| Self {
            validating,
            trusting,
            folder,
            transaction: Mutex::new(()),
            _keeper: keeper,
        };
        let import = ["-C", &format!("{path}/conf"), "conf-import", &format!("{path}/knot.conf")];
        done(Command::new("knotc").args(import).output().unwrap());
        let conf = format!("{path}/conf");
        let generate = ["-C", &conf, ".", "generate", "algorithm=13", "ksk=yes", "zsk=yes"];
        done(Command::new("keymgr").args(generate).output().unwrap());
        let anchor = key_digest(&path, ".").unwrap();
        for (name, address, modules) in
            [("validating", validating, "validator iterator"), ("trusting", trusting, "iterator")]
        {
            let text = format!(
                "server:\n  directory: \"{path}\"\n  username: \"\"\n  chroot: \"\"\n  \
                 pidfile: \"\"\n  use-syslog: no\n  interface: 127.0.0.1@{port}\n  \
                 do-not-query-localhost: no\n  module-config: \"{modules}\"\n  ede: yes\n  \
                 trust-anchor: \". DS {anchor}\"\n  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n  \
                 aggressive-nsec: no\n  infra-host-ttl: 0\n  num-threads: 1\n  do-ip6: no\n  \
                 outgoing-range: 512\n  num-queries-per-thread: 256\n\
                 forward-zone:\n  name: \".\"\n  forward-addr: 127.0.0.1@{knot}\n\
                 remote-control:\n  control-enable: no\n",
                port = address.port(),
                knot = authority.port(),
            );
            fs::write(format!("{path}/{name}.conf"), text).unwrap();
        }
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", &path])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let rig = rig(keeper);
        rig.until("knot runs", || rig.knotc(&["status"]).status.success());
        rig.delegate(".", "example.", &[format!("DS {}", rig.key_digest("example."))]);
        for resolver in [validating, trusting] {
            rig.until("the resolvers answer", || resolves(resolver, "ns.example"));
        }
        rig
    }

    /// A zone of this name, signed and without records.
    pub fn zone(&'static self, name: &str) -> Zone {
        let name = format!("{name}.");
        let records = head(&name);
        Zone { rig: self, name, records, delegation: Delegation::Signed }
    }

    fn knotc(&self, words: &[&str]) -> Output {
        let path = self.folder.path().join("run/knot.sock");
        Command::new("knotc").args(["-b", "-s"]).arg(path).args(words).output().unwrap()
    }

    /// One transaction of configuration or of a zone.
    fn transaction(&self, commands: &[Vec<&str>]) {
        let _alone = self.transaction.lock().unwrap_or_else(PoisonError::into_inner);
        commands.iter().for_each(|words| done(self.knotc(words)));
    }

    fn delegate(&self, parent: &str, zone: &str, more: &[String]) {
        let mut commands = vec![
            vec!["zone-begin", parent],
            vec!["zone-set", parent, zone, "1", "NS", "ns.example."],
        ];
        for record in more {
            let words = ["zone-set", parent, zone, "1"].into_iter();
            commands.push(words.chain(record.split(' ')).collect());
        }
        commands.push(vec!["zone-commit", parent]);
        self.transaction(&commands);
    }

    fn key_digest(&self, zone: &str) -> String {
        let path = self.folder.path().to_str().unwrap();
        let mut digest = None;
        self.until("the zone has a key", || {
            digest = key_digest(path, zone);
            digest.is_some()
        });
        digest.unwrap()
    }

    fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            let log = |name: &str| fs::read_to_string(self.folder.path().join(name));
            let logs = ["knot.log", "validating.log", "trusting.log"].map(log);
            assert!(Instant::now() < deadline, "it never happened: {what}: {logs:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Zone {
    /// A record as a zone file has it, such as `www CNAME shop.example.`; `@` is the zone itself.
    pub fn record(mut self, record: &str) -> Self {
        self.records.push_str(record);
        self.records.push('\n');
        self
    }

    /// An A record.
    pub fn a(self, label: &str, address: &str) -> Self {
        self.record(&format!("{label} A {address}"))
    }

    /// Without signatures, as most zones are.
    pub fn unsigned(self) -> Self {
        Self { delegation: Delegation::Unsigned, ..self }
    }

    /// With signatures that no key vouches for.
    pub fn bogus(self) -> Self {
        Self { delegation: Delegation::Bogus, ..self }
    }

    /// Delegated to a server that has lost it: SERVFAIL.
    pub fn lame(self) -> Self {
        Self { delegation: Delegation::Lame, ..self }
    }

    /// Serves it. It is there when this returns.
    pub fn serve(self) {
        let Self { rig, name, records, delegation } = self;
        let (_, parent) = name.split_once('.').unwrap();
        let file = format!("{name}zone");
        // A zone that knot cannot load is answered with SERVFAIL.
        let is_lame = delegation == Delegation::Lame;
        if !is_lame {
            fs::write(rig.folder.path().join("zones").join(&file), records).unwrap();
        }
        let is_signed = matches!(delegation, Delegation::Signed | Delegation::Bogus);
        let signing = if is_signed { "on" } else { "off" };
        let key = |item: &str| format!("zone[{name}].{item}");
        rig.transaction(&[
            vec!["conf-begin"],
            vec!["conf-set", &format!("zone[{name}]")],
            vec!["conf-set", &key("file"), &file],
            vec!["conf-set", &key("dnssec-signing"), signing],
            vec!["conf-commit"],
        ]);
        rig.until("the zone is served", || {
            is_lame || rig.knotc(&["zone-read", &name, "@", "SOA"]).status.success()
        });
        let ds = match delegation {
            Delegation::Unsigned | Delegation::Lame => Vec::new(),
            Delegation::Signed => vec![format!("DS {}", rig.key_digest(&name))],
            Delegation::Bogus => {
                let digest = rig.key_digest(&name);
                let (head, tail) = digest.split_at(digest.len() - 8);
                vec![format!(
                    "DS {head}{}",
                    if tail == "00000000" { "11111111" } else { "00000000" }
                )]
            }
        };
        rig.delegate(parent, &name, &ds);
    }
}

/// What every zone begins with.
fn head(zone: &str) -> String {
    format!(
        "$ORIGIN {zone}\n$TTL 60\n@ SOA ns.example. hostmaster.example. 1 3600 600 86400 60\n@ NS ns.example.\n"
    )
}

/// What the zone above says of a zone's key (RFC 4034, section 5.3), once it has one.
fn key_digest(folder: &str, zone: &str) -> Option<String> {
    let conf = format!("{folder}/conf");
    let output = Command::new("keymgr").args(["-C", &conf, zone, "ds"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let digests = text.lines().filter_map(|line| line.split_once(" DS "));
    digests.map(|(_, digest)| digest.to_owned()).find(|digest| digest.contains(" 13 2 "))
}

fn done(output: Output) {
    assert!(output.status.success(), "{output:?}");
}

/// Ports that were free a moment ago, for UDP as for TCP.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

/// Whether the resolver knows an address of the name: one query, written by hand.
fn resolves(resolver: SocketAddr, name: &str) -> bool {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    let mut answer = [0; 512];
    socket.send_to(&query, resolver).is_ok()
        && socket.recv(&mut answer).is_ok()
        && answer[3] & 15 == 0
        && answer[7] > 0
}
