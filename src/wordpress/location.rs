use std::{fmt, net::Ipv6Addr, path::PathBuf, str::FromStr};

use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use url::Url;

use super::mysql::{Address, DEFAULT_SOCKETS, InvalidOption, MySqlOptions, SslMode};
use crate::secrets;

/// The address of the network's database. It is displayed without its password.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(super) location: Location,
    /// Of everything that it was made from, to compare addresses without another copy of the password.
    digest: [u8; 32],
}

#[derive(Clone)]
pub(super) enum Location {
    MySql(Box<MySqlOptions>),
    Sqlite(PathBuf),
}

/// The text is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidDatabaseUrl {
    #[error(
        "it is not an address, such as mysql://user:password@host:3306/database (percent-encode special characters of the password) or sqlite:/path/to/file"
    )]
    NotAnAddress,
    #[error("it must begin with mysql:// or sqlite:")]
    Scheme,
    #[error("it names no user, as in mysql://user:password@host:3306/database")]
    NoUser,
    #[error("it names no database, as in mysql://user:password@host:3306/database")]
    NoDatabase,
    #[error("it names no file, as in sqlite:/path/to/.ht.sqlite")]
    NoFile,
    #[error(
        "its host must be a name, name:port, [IPv6 address]:port, name:/path/to/socket or /path/to/socket"
    )]
    Host,
    #[error(transparent)]
    Option(#[from] InvalidOption),
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl DatabaseUrl {
    /// Makes an address of the values in wp-config.php. `host` may have any form of `DB_HOST`: `host`,
    /// `host:port`, `host:/path/to.sock`, `:/path/to.sock`, `[::1]:port`, `::1`. `localhost` is the default
    /// socket if there is one, as for PHP.
    pub fn from_parts(
        host: &str,
        user: &str,
        password: &str,
        name: &str,
    ) -> Result<Self, InvalidDatabaseUrl> {
        if user.is_empty() {
            return Err(InvalidDatabaseUrl::NoUser);
        }
        if name.is_empty() {
            return Err(InvalidDatabaseUrl::NoDatabase);
        }
        let address = address_of(host.trim())?;
        let mut options = MySqlOptions::new(address, user.to_owned(), name.to_owned());
        options.password = password.to_owned();
        Ok(Self::my_sql(options, &[host, user, password, name]))
    }

    /// Sets the character set by WordPress's `DB_CHARSET` and `DB_COLLATE`, unless the address has one:
    /// PHP wrote the tables through a connection with that character set.
    ///
    /// # Errors
    /// [`InvalidDatabaseUrl::Option`] if it is no name of a character set.
    pub fn with_charset(
        mut self,
        db_charset: Option<&str>,
        db_collate: Option<&str>,
    ) -> Result<Self, InvalidDatabaseUrl> {
        if let Location::MySql(options) = &mut self.location
            && options.charset.is_none()
        {
            options.charset = db_charset.map(str::parse).transpose()?;
            let collation = db_collate.filter(|name| !name.is_empty());
            options.collation = collation.and_then(|name| name.parse().ok());
            let parts = [db_charset, db_collate].map(Option::unwrap_or_default);
            self.digest_more(&format!("{parts:?}"));
        }
        Ok(self)
    }

    /// Requires TLS, unless the address has an `ssl-mode`.
    pub fn with_tls(mut self) -> Self {
        if let Location::MySql(options) = &mut self.location
            && options.ssl.mode.is_none()
        {
            options.ssl.mode = Some(SslMode::Required);
            self.digest_more("tls");
        }
        self
    }

    fn digest_more(&mut self, made_from: &str) {
        self.digest = Sha256::digest([&self.digest[..], made_from.as_bytes()].concat()).into();
    }

    /// A hint for the error if `localhost` does not answer: for PHP it is always a socket.
    pub(super) fn socket_hint(&self) -> String {
        let Location::MySql(options) = &self.location else { return String::new() };
        match options.address.now() {
            Address::Host { name, .. } if name.eq_ignore_ascii_case("localhost") => format!(
                "; for PHP, localhost is a socket, and there is none in the usual places ({}): set its path, as in DB_HOST='localhost:/path/to/mysqld.sock' in wp-config.php or ?socket=/path/to/mysqld.sock in wordpress.database_url",
                DEFAULT_SOCKETS.join(", ")
            ),
            _ => String::new(),
        }
    }

    fn my_sql(options: MySqlOptions, made_from: &[&str]) -> Self {
        let password = options.password.clone();
        let database = Self::new(Location::MySql(Box::new(options)), made_from);
        secrets::learn(&password, &database.to_string());
        database
    }

    fn new(location: Location, made_from: &[&str]) -> Self {
        let digest = Sha256::digest(made_from.join("\0")).into();
        Self { location, digest }
    }
}

const DEFAULT_PORT: u16 = 3306;

/// As WordPress parses `DB_HOST` (`wpdb::parse_db_host`) and PHP connects (mysqlnd): to `localhost`
/// always over a socket, whatever the port is, and to any other host never.
fn address_of(host: &str) -> Result<Address, InvalidDatabaseUrl> {
    // A URL may hold a password, which would be displayed as part of the host.
    if host.contains('@') || host.contains("://") {
        return Err(InvalidDatabaseUrl::Host);
    }
    let (host, socket) = match host.find(":/") {
        Some(colon) => (host.get(..colon).unwrap_or_default(), host.get(colon + 1..)),
        // WordPress has no such form: it is accepted for convenience.
        None if host.starts_with('/') => ("", Some(host)),
        None => (host, None),
    };
    let (host, port) = if let Some(address) = host.strip_prefix('[') {
        let (address, rest) = address.split_once(']').ok_or(InvalidDatabaseUrl::Host)?;
        let address: Ipv6Addr = address.parse().map_err(|_| InvalidDatabaseUrl::Host)?;
        (address.to_string(), rest.strip_prefix(':'))
    } else if host.parse::<Ipv6Addr>().is_ok() {
        // WordPress accepts an IPv6 address without brackets, too.
        (host.to_owned(), None)
    } else {
        // WordPress ignores what follows a slash.
        let host = host.split('/').next().unwrap_or_default();
        match host.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (host.to_owned(), None),
        }
    };
    let port = match port.filter(|port| !port.is_empty()) {
        Some(port) => port.parse().map_err(|_| InvalidDatabaseUrl::Host)?,
        None => DEFAULT_PORT,
    };
    if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
        return Ok(match socket {
            Some(socket) => Address::Socket(PathBuf::from(socket)),
            None => Address::Localhost { port },
        });
    }
    Ok(Address::Host { name: host, port })
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("sqlite:") {
            // `sqlite://relative` and `sqlite:///absolute` are common, too.
            let path = path.strip_prefix("//").unwrap_or(path);
            // Another URL may hold a password, which would be displayed as part of the path.
            let is_no_path = path.contains("://") || !path.starts_with('/') && path.contains('@');
            if path.is_empty() || is_no_path {
                return Err(InvalidDatabaseUrl::NoFile);
            }
            return Ok(Self::new(Location::Sqlite(PathBuf::from(path)), &[path]));
        }
        let url = Url::parse(text).map_err(|_| InvalidDatabaseUrl::NotAnAddress)?;
        if !matches!(url.scheme(), "mysql" | "mariadb") {
            return Err(InvalidDatabaseUrl::Scheme);
        }
        if url.username().is_empty() {
            return Err(InvalidDatabaseUrl::NoUser);
        }
        match url.path().trim_matches('/') {
            "" => return Err(InvalidDatabaseUrl::NoDatabase),
            // It is the rest of a password that is not percent-encoded.
            name if name.contains(['/', '@', ':']) => return Err(InvalidDatabaseUrl::NotAnAddress),
            _ => {}
        }
        let decode = |part: &str| {
            let text = percent_decode_str(part).decode_utf8();
            text.map(String::from).map_err(|_| InvalidDatabaseUrl::NotAnAddress)
        };
        // The system's resolver does not accept brackets around an IPv6 address.
        let host = url.host_str().unwrap_or("localhost").trim_matches(['[', ']']).to_owned();
        let address = Address::Host { name: host, port: url.port().unwrap_or(DEFAULT_PORT) };
        let database = decode(url.path().trim_start_matches('/'))?;
        let mut options = MySqlOptions::new(address, decode(url.username())?, database);
        options.password = decode(url.password().unwrap_or_default())?;
        options.take_options(&url)?;
        Ok(Self::my_sql(options, &[text]))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Location::MySql(options) => {
                let database = &options.database;
                write!(f, "mysql://{}@", options.user)?;
                match options.address.now() {
                    Address::Socket(path) => {
                        write!(f, "localhost/{database}?socket={}", path.display())
                    }
                    Address::Host { name, port } if name.contains(':') => {
                        write!(f, "[{name}]:{port}/{database}")
                    }
                    Address::Host { name, port } => write!(f, "{name}:{port}/{database}"),
                    Address::Localhost { port } => write!(f, "localhost:{port}/{database}"),
                }
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// WordPress's `$table_prefix`: letters, digits and underscores only, so that it is safe in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePrefix(String);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a table prefix has letters, digits and underscores only, as in wp_")]
pub struct InvalidTablePrefix;

impl TablePrefix {
    /// The full name of the table `name`. It must be [quoted] in a statement: it may begin like a number
    /// (`1e5_site`).
    pub(super) fn table(&self, name: &str) -> String {
        format!("{}{name}", self.0)
    }
}

/// Quotes the name of a table or a database for a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

impl FromStr for TablePrefix {
    type Err = InvalidTablePrefix;

    fn from_str(text: &str) -> Result<Self, InvalidTablePrefix> {
        if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidTablePrefix)
        }
    }
}

impl fmt::Display for TablePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, InvalidDatabaseUrl> {
        text.parse::<DatabaseUrl>().map(|url| url.to_string())
    }

    #[test]
    fn addresses_are_displayed_without_their_password() {
        for (text, expected) in [
            ("mysql://wp:s3cret@db.example:3307/wordpress", "mysql://wp@db.example:3307/wordpress"),
            ("mariadb://wp:s3cret@db.example/wordpress", "mysql://wp@db.example:3306/wordpress"),
            (
                "mysql://wp:p%40ss%2F@localhost/wp?socket=/run/my.sock",
                "mysql://wp@localhost/wp?socket=/run/my.sock",
            ),
            ("mysql://wp:s3cret@[::1]:3307/wp", "mysql://wp@[::1]:3307/wp"),
            ("sqlite:/var/www/.ht.sqlite", "sqlite:/var/www/.ht.sqlite"),
            ("sqlite://wp.sqlite", "sqlite:wp.sqlite"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
            assert_eq!(format!("{:?}", text.parse::<DatabaseUrl>().unwrap()), expected);
        }
    }

    #[test]
    fn errors_name_the_missing_part_and_repeat_nothing() {
        use InvalidDatabaseUrl::*;
        for (text, why) in [
            ("", NotAnAddress),
            ("s3cret", NotAnAddress),
            ("postgres://wp:s3cret@db/wordpress", Scheme),
            ("mysql://db.example/wordpress", NoUser),
            ("mysql://wp:s3cret@db.example/", NoDatabase),
            ("sqlite:", NoFile),
            ("sqlite://wp:s3cret@127.0.0.1/wp", NoFile),
            ("sqlite:mysql://wp:s3cret@db/wp", NoFile),
            ("mysql://wp@db:12/s3cret@db/wp", NotAnAddress),
        ] {
            assert_eq!(shown(text), Err(why.clone()), "{text}");
            assert!(!why.to_string().contains("s3cret"));
        }
    }

    #[test]
    fn addresses_with_different_passwords_differ() {
        let same = |one: &str, other: &str| {
            one.parse::<DatabaseUrl>().unwrap() == other.parse::<DatabaseUrl>().unwrap()
        };
        let url = "mysql://wp:s3cret@[::1]:3307/wp";
        assert!(same(url, url));
        assert!(!same(url, "mysql://wp:other@[::1]:3307/wp"));
        let of_host = |host| DatabaseUrl::from_parts(host, "wp", "s3cret", "w").unwrap();
        assert!(of_host("::1") == of_host("::1") && of_host("::1") != of_host("[::1]:1"));
    }

    #[test]
    fn every_form_of_db_host_is_accepted() {
        for (host, expected) in [
            ("db", "mysql://wp@db:3306/wordpress"),
            ("db:3307", "mysql://wp@db:3307/wordpress"),
            ("localhost:/run/my.sock", "mysql://wp@localhost/wordpress?socket=/run/my.sock"),
            (":/run/my.sock", "mysql://wp@localhost/wordpress?socket=/run/my.sock"),
            ("/run/my.sock", "mysql://wp@localhost/wordpress?socket=/run/my.sock"),
            ("::1", "mysql://wp@[::1]:3306/wordpress"),
            ("2001:db8::5", "mysql://wp@[2001:db8::5]:3306/wordpress"),
            ("[::1]", "mysql://wp@[::1]:3306/wordpress"),
            ("[::1]:3307", "mysql://wp@[::1]:3307/wordpress"),
            ("db:", "mysql://wp@db:3306/wordpress"),
            ("db:3307/more", "mysql://wp@db:3307/wordpress"),
            ("127.0.0.1:/run/my.sock", "mysql://wp@127.0.0.1:3306/wordpress"),
            ("LocalHost:/run/my.sock", "mysql://wp@localhost/wordpress?socket=/run/my.sock"),
        ] {
            let url = DatabaseUrl::from_parts(host, "wp", "s3cret", "wordpress");
            assert_eq!(url.map(|url| url.to_string()).as_deref(), Ok(expected), "{host}");
        }
        for host in ["db:port", "mysql://wp:s3cret@db", "s3cret@db", "[wp:s3cret@db]:3306", "[db]"]
        {
            let bad = DatabaseUrl::from_parts(host, "wp", "s3cret", "wordpress");
            assert_eq!(bad.map(|url| url.to_string()), Err(InvalidDatabaseUrl::Host), "{host}");
        }
    }

    #[test]
    fn a_prefix_cannot_contain_sql() {
        assert!("wp_2_".parse::<TablePrefix>().is_ok());
        for bad in ["wp`; DROP", "wp-", "wp.", "wp "] {
            assert_eq!(bad.parse::<TablePrefix>(), Err(InvalidTablePrefix), "{bad}");
        }
    }

    #[test]
    fn localhost_is_the_default_socket_once_it_exists() {
        let resolve = |host: &str, sockets: &[&str]| {
            address_of(host).unwrap().resolve(|path| sockets.contains(&path))
        };
        let socket = Address::Socket("/var/lib/mysql/mysql.sock".into());
        let tcp = |name: &str, port| Address::Host { name: name.to_owned(), port };
        assert_eq!(resolve("localhost", &["/var/lib/mysql/mysql.sock"]), socket);
        assert_eq!(resolve("", &["/var/lib/mysql/mysql.sock"]), socket);
        assert_eq!(resolve("localhost", &[]), tcp("localhost", 3306));
        assert_eq!(resolve("127.0.0.1", &DEFAULT_SOCKETS), tcp("127.0.0.1", 3306));
        assert_eq!(resolve("localhost:3307", &["/var/lib/mysql/mysql.sock"]), socket);
        assert_eq!(resolve("localhost:3307", &[]), tcp("localhost", 3307));
    }

    #[test]
    fn the_hint_for_localhost_without_a_socket_shows_how_to_set_it() {
        let hint = |host| DatabaseUrl::from_parts(host, "wp", "s3cret", "w").unwrap().socket_hint();
        assert_eq!((hint("db"), hint("/run/my.sock")), (String::new(), String::new()));
        let url: DatabaseUrl = "mysql://wp@localhost/w".parse().unwrap();
        assert!(url.socket_hint().contains("DB_HOST='localhost:/"), "{}", url.socket_hint());
    }

    #[test]
    fn names_are_quoted_for_a_statement() {
        assert_eq!(quoted("1e5_site"), "`1e5_site`");
        assert_eq!(quoted("a`name"), "`a``name`");
    }
}
