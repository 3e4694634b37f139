//! A real mail server: aiosmtpd, for one user.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tempfile::TempDir;

const SERVER: &str = r#"
import asyncio, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "data": envelope.content.decode()}
        print(json.dumps(mail), flush=True)
        return "250 accepted"

def authenticate(server, session, envelope, mechanism, data):
    print(json.dumps({"login": session.ssl is not None}), flush=True)
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ops", b"m4rker-password")
    return AuthResult(success=is_right, handled=False, auth_data=data)

async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    tls = sys.argv[3]
    make = lambda: SMTP(Handler(), authenticator=authenticate, auth_required=True, auth_require_tls=False,
        tls_context=context if tls == "starttls" else None)
    around = context if tls == "always" else None
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=around)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"#;

/// Linux connects it to this machine, though it is no address of this machine or its network.
const FAR: &str = "0.0.0.0";

/// When a server encrypts a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// From the first byte.
    Always,
    /// When it is asked to.
    StartTls,
    Never,
}

pub struct MailServer {
    child: Child,
    port: u16,
    tls: MailTls,
    said: Arc<Mutex<Vec<Value>>>,
    folder: TempDir,
}

impl MailServer {
    pub fn start(tls: MailTls) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = ["127.0.0.1", FAR].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        // Debian's own Python has Debian's packages.
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", SERVER])
            .args([&certificate, &key])
            .arg(match tls {
                MailTls::Always => "always",
                MailTls::StartTls => "starttls",
                MailTls::Never => "never",
            })
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 and its package aiosmtpd are needed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().expect("aiosmtpd is needed").unwrap().parse().unwrap();
        let said: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = said.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let one = serde_json::from_str(&line).unwrap();
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(one);
            }
        });
        Self { child, port, tls, said, folder }
    }

    pub fn url(&self) -> String {
        match self.tls {
            MailTls::Always => format!("smtps://127.0.0.1:{}", self.port),
            MailTls::StartTls | MailTls::Never => format!("smtp://{FAR}:{}", self.port),
        }
    }

    /// The root of its certificate.
    pub fn root(&self) -> String {
        self.folder.path().join("cert.pem").to_str().unwrap().to_owned()
    }

    /// What it accepted: `from`, `to` and the mail itself, `data`.
    pub fn mails(&self) -> Vec<Value> {
        self.said().into_iter().filter(|one| one["data"].is_string()).collect()
    }

    /// For each login that was tried, whether the connection was encrypted.
    pub fn logins(&self) -> Vec<bool> {
        self.said().iter().filter_map(|one| one["login"].as_bool()).collect()
    }

    fn said(&self) -> Vec<Value> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
