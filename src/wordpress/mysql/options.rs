use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use strum::EnumString;
use thiserror::Error;
use url::Url;

/// The address of a MySQL or MariaDB server, and how to log in.
#[derive(Clone)]
pub(in super::super) struct MySqlOptions {
    pub(in super::super) address: Address,
    pub(in super::super) user: String,
    pub(in super::super) password: String,
    pub(in super::super) database: String,
    /// The character set of the connection, if one is configured.
    pub(in super::super) charset: Option<Charset>,
    /// Used only if the character set has this collation.
    pub(in super::super) collation: Option<Charset>,
    pub(in super::super) ssl: Ssl,
    pub(super) server_key: ServerKey,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Address {
    Socket(PathBuf),
    Host {
        name: String,
        port: u16,
    },
    /// As PHP treats `localhost`: the socket in one of the usual places, which may be created after the
    /// settings are read. `port` is used if there is none.
    Localhost {
        port: u16,
    },
}

/// The default sockets of Debian's, Red Hat's and the upstream packages of MySQL and MariaDB.
pub(in super::super) const DEFAULT_SOCKETS: [&str; 3] =
    ["/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"];

impl Address {
    /// The name that the server's certificate must be for.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Host { name, .. } => name,
            Self::Socket(_) | Self::Localhost { .. } => "localhost",
        }
    }

    /// The address with `localhost` resolved to a socket that exists now, or to TCP.
    pub(in super::super) fn now(&self) -> Self {
        self.resolve(|path| Path::new(path).exists())
    }

    pub(in super::super) fn resolve(&self, exists: impl Fn(&str) -> bool) -> Self {
        let Self::Localhost { port } = self else { return self.clone() };
        match DEFAULT_SOCKETS.into_iter().find(|path| exists(path)) {
            Some(path) => Self::Socket(PathBuf::from(path)),
            None => Self::Host { name: "localhost".to_owned(), port: *port },
        }
    }
}

/// A character set or collation, as `SET NAMES` accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Charset(pub(super) String);

impl FromStr for Charset {
    type Err = InvalidOption;

    /// As WordPress treats `DB_CHARSET`: an empty one is the server's default, and utf8 is utf8mb4.
    fn from_str(text: &str) -> Result<Self, InvalidOption> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match text {
            "" => Ok(Self("DEFAULT".to_owned())),
            name if name.eq_ignore_ascii_case("utf8") => Ok(Self::default()),
            name if name.bytes().all(is_word) => Ok(Self(name.to_owned())),
            _ => Err(InvalidOption::Charset),
        }
    }
}

impl Default for Charset {
    fn default() -> Self {
        Self("utf8mb4".to_owned())
    }
}

#[derive(Debug, Clone, Default)]
pub(in super::super) struct Ssl {
    /// None if no mode is configured.
    pub(in super::super) mode: Option<SslMode>,
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

impl Ssl {
    pub(super) fn mode(&self) -> SslMode {
        self.mode.unwrap_or_default()
    }
}

/// MySQL's `ssl-mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumString)]
#[strum(serialize_all = "snake_case", ascii_case_insensitive)]
pub(in super::super) enum SslMode {
    Disabled,
    /// TLS if the server offers it and it works, except over a socket.
    #[default]
    Preferred,
    /// TLS with any certificate.
    Required,
    VerifyCa,
    VerifyIdentity,
}

impl SslMode {
    pub(super) fn is_required(self) -> bool {
        !matches!(self, Self::Disabled | Self::Preferred)
    }
}

/// The server's public key, with which a password is encrypted if there is no TLS.
#[derive(Debug, Clone, Default)]
pub(super) enum ServerKey {
    #[default]
    Unknown,
    /// The one that the server sends is trusted.
    Trusted,
    File(PathBuf),
}

/// An invalid option after the `?`. Its value is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidOption {
    #[error(
        "it has an option after the ? that is not one of socket, ssl-mode, ssl-ca, ssl-cert, ssl-key, charset, get-server-public-key, server-public-key-path"
    )]
    Unknown,
    #[error("its ssl-mode must be disabled, preferred, required, verify-ca or verify-identity")]
    SslMode,
    #[error(
        "its charset (DB_CHARSET in wp-config.php) must be the name of a character set, such as utf8mb4"
    )]
    Charset,
    #[error("its get-server-public-key must be true or false")]
    GetServerPublicKey,
    #[error("it has only one of ssl-cert and ssl-key: set both")]
    HalfACertificate,
}

impl MySqlOptions {
    pub(in super::super) fn new(address: Address, user: String, database: String) -> Self {
        Self {
            address,
            user,
            password: String::new(),
            database,
            charset: None,
            collation: None,
            ssl: Ssl::default(),
            server_key: ServerKey::default(),
        }
    }

    /// Sets the options after the `?` of an address, named as in MySQL's own programs.
    pub(in super::super) fn take_options(&mut self, url: &Url) -> Result<(), InvalidOption> {
        for (name, value) in url.query_pairs() {
            let path = || Some(PathBuf::from(value.as_ref()));
            match name.replace('_', "-").to_ascii_lowercase().as_str() {
                "socket" => self.address = Address::Socket(PathBuf::from(value.as_ref())),
                "ssl-mode" | "sslmode" => {
                    let mode = value.replace('-', "_").parse();
                    self.ssl.mode = Some(mode.map_err(|_| InvalidOption::SslMode)?);
                }
                "ssl-ca" | "sslca" => self.ssl.ca = path(),
                "ssl-cert" | "sslcert" => self.ssl.cert = path(),
                "ssl-key" | "sslkey" => self.ssl.key = path(),
                "charset" => self.charset = Some(value.parse()?),
                "server-public-key-path" => {
                    self.server_key = ServerKey::File(PathBuf::from(value.as_ref()));
                }
                "get-server-public-key" => match value.to_ascii_lowercase().as_str() {
                    "" | "1" | "true" => self.server_key = ServerKey::Trusted,
                    "0" | "false" => {}
                    _ => return Err(InvalidOption::GetServerPublicKey),
                },
                _ => return Err(InvalidOption::Unknown),
            }
        }
        if self.ssl.cert.is_some() != self.ssl.key.is_some() {
            return Err(InvalidOption::HalfACertificate);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(query: &str) -> Result<MySqlOptions, InvalidOption> {
        let address = Address::Host { name: "db".to_owned(), port: 3306 };
        let mut options = MySqlOptions::new(address, "wp".to_owned(), "w".to_owned());
        let url = format!("mysql://wp@db/w?{query}").parse().unwrap();
        options.take_options(&url).map(|()| options)
    }

    #[test]
    fn options_have_mysqls_names() {
        let mode = |query: &str| options(query).map(|options| options.ssl.mode());
        assert_eq!(mode(""), Ok(SslMode::Preferred));
        assert_eq!(mode("ssl-mode=required"), Ok(SslMode::Required));
        assert_eq!(mode("ssl_mode=VERIFY_CA&ssl-ca=/ca.pem"), Ok(SslMode::VerifyCa));
        assert_eq!(mode("sslmode=Verify-Identity"), Ok(SslMode::VerifyIdentity));
        assert_eq!(mode("ssl-mode=must"), Err(InvalidOption::SslMode));
        assert_eq!(mode("tls=1"), Err(InvalidOption::Unknown));
        assert_eq!(mode("ssl-cert=/c.pem"), Err(InvalidOption::HalfACertificate));
        assert_eq!(mode("charset=utf8mb4;DROP"), Err(InvalidOption::Charset));
        for (query, charset) in [
            ("charset=latin1", Some("latin1")),
            ("charset=UTF8", Some("utf8mb4")),
            ("charset=", Some("DEFAULT")),
            ("", None),
        ] {
            let expected = charset.map(|name| Charset(name.to_owned()));
            assert_eq!(options(query).ok().and_then(|options| options.charset), expected);
        }
        assert_eq!(mode("get-server-public-key=yes"), Err(InvalidOption::GetServerPublicKey));
        let key = options("get-server-public-key=true").ok().map(|options| options.server_key);
        assert!(matches!(key, Some(ServerKey::Trusted)));
        let socket = options("socket=/s.sock").ok().map(|options| options.address);
        assert_eq!(socket, Some(Address::Socket("/s.sock".into())));
    }
}
