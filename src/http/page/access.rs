//! Who may see the page: whoever is logged in; and this machine, where nobody else can be the visitor.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{
    super::{HttpConfig, Token},
    signature::{Purpose, Signer},
};

/// How long a login lasts.
const LOGIN_LASTS: Duration = Duration::from_secs(24 * 60 * 60);
const COOKIE: &str = "closte-sync-login";
/// How many logins may fail before the next one has to wait.
const FREE_FAILURES: u32 = 3;
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// After this time without one, failures are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(15 * 60);

/// Each of these means that a proxy has passed the request on, so that its visitor may be anybody.
const OF_PROXIES: [&str; 9] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "x-original-host",
];

/// Somebody who may see the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Visitor {
    /// With the content of the login's cookie.
    LoggedIn(String),
    /// Without a token, on this machine.
    Local,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// Not logged in.
    LogIn,
    /// There is no token to log in with.
    NoToken,
}

/// `is_loopback` is whether only this machine can connect.
pub(super) fn visitor(
    config: &HttpConfig,
    is_loopback: bool,
    signer: &Signer,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Visitor, Denied> {
    if let Some(token) = &config.token {
        let login = login(headers).filter(|login| is_valid(login, token, signer, now));
        return login.map(|login| Visitor::LoggedIn(login.to_owned())).ok_or(Denied::LogIn);
    }
    let is_local = is_loopback
        && config.public_url.is_none()
        && has_loopback_host(headers)
        && !OF_PROXIES.iter().any(|name| headers.contains_key(*name));
    if is_local { Ok(Visitor::Local) } else { Err(Denied::NoToken) }
}

impl Visitor {
    /// Signs the forms of this visitor, so that no other page can send them.
    pub(super) fn form_token(&self, signer: &Signer) -> String {
        signer.sign(Purpose::Form, &[self.as_str()])
    }

    pub(super) fn may_send(&self, form_token: &str, signer: &Signer) -> bool {
        signer.has_signed(Purpose::Form, &[self.as_str()], form_token)
    }

    fn as_str(&self) -> &str {
        match self {
            Self::LoggedIn(login) => login,
            Self::Local => "",
        }
    }
}

/// Whether the browser says that another site sent the request. Old ones say nothing.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

/// The cookie of a new login.
pub(super) fn login_cookie(
    token: &Token,
    signer: &Signer,
    headers: &HeaderMap,
    now: Timestamp,
) -> String {
    let ends = now.as_second().saturating_add_unsigned(LOGIN_LASTS.as_secs()).to_string();
    let signature = signer.sign(Purpose::Login, &[&ends, &digest(token)]);
    cookie(&format!("{ends}.{signature}"), LOGIN_LASTS, headers)
}

/// Deletes the cookie.
pub(super) fn logout_cookie(headers: &HeaderMap) -> String {
    cookie("", Duration::ZERO, headers)
}

fn cookie(value: &str, lasts: Duration, headers: &HeaderMap) -> String {
    let is_https = headers.get("x-forwarded-proto").is_some_and(|protocol| protocol == "https");
    let secure = if is_https { "; Secure" } else { "" };
    let lasts = lasts.as_secs();
    format!("{COOKIE}={value}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Strict{secure}")
}

fn login(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|one| one.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim())
}

/// Another token ends the logins.
fn is_valid(login: &str, token: &Token, signer: &Signer, now: Timestamp) -> bool {
    let Some((ends, signature)) = login.split_once('.') else { return false };
    let is_ours = signer.has_signed(Purpose::Login, &[ends, &digest(token)], signature);
    is_ours && ends.parse::<i64>().is_ok_and(|ends| now.as_second() < ends)
}

fn digest(token: &Token) -> String {
    Sha256::digest(token.expose()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the browser was told to go to this machine itself: another name in DNS can have its address.
fn has_loopback_host(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.and_then(|host| host.parse::<axum::http::uri::Authority>().ok()) else {
        return false;
    };
    let host = host.host().to_ascii_lowercase();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Slows down whoever tries tokens.
#[derive(Debug, Default)]
pub(in crate::http) struct LoginThrottle(Mutex<Failures>);

#[derive(Debug, Default)]
struct Failures {
    count: u32,
    last: Option<Instant>,
}

impl LoginThrottle {
    /// Begins an attempt, which counts as failed until it succeeds.
    ///
    /// # Errors
    /// How long to wait.
    pub(super) fn begin(&self, now: Instant) -> Result<(), Duration> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = failures.last.map(|last| now.saturating_duration_since(last));
        if passed.is_none_or(|passed| passed >= FORGOTTEN_AFTER) {
            failures.count = 0;
        }
        let wait = match failures.count.checked_sub(FREE_FAILURES) {
            None => Duration::ZERO,
            Some(more) => Duration::from_secs(2u64.saturating_pow(more)).min(LONGEST_WAIT),
        };
        match wait.checked_sub(passed.unwrap_or(Duration::MAX)) {
            Some(left) if !left.is_zero() => Err(left),
            _ => {
                failures.count = failures.count.saturating_add(1);
                failures.last = Some(now);
                Ok(())
            }
        }
    }

    pub(super) fn succeeded(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Failures::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(token: Option<&str>, public_url: Option<&str>) -> HttpConfig {
        HttpConfig {
            listen: None,
            token: token.map(|token| token.parse().unwrap()),
            sync_token: None,
            public_url: public_url.map(|url| url.parse().unwrap()),
            metrics_per_domain: false,
        }
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn without_a_token_only_this_machine_itself_sees_the_page() {
        let signer = Signer::new([1; 32]);
        let see = |config: &HttpConfig, is_loopback, all: &[(&'static str, &str)]| {
            visitor(config, is_loopback, &signer, &headers(all), at(0))
        };
        let (open, public) = (config(None, None), config(None, Some("https://a.example")));
        for host in ["localhost:9184", "127.0.0.1", "127.8.8.8:1", "[::1]:9184", "LocalHost"] {
            assert_eq!(see(&open, true, &[("host", host)]), Ok(Visitor::Local), "{host}");
            assert_eq!(see(&public, true, &[("host", host)]), Err(Denied::NoToken), "{host}");
            assert_eq!(see(&open, false, &[("host", host)]), Err(Denied::NoToken), "{host}");
            for proxy in OF_PROXIES {
                let passed_on = [("host", host), (proxy, "x")];
                assert_eq!(see(&open, true, &passed_on), Err(Denied::NoToken), "{proxy}");
            }
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.nip.io", ""] {
            assert_eq!(see(&open, true, &[("host", host)]), Err(Denied::NoToken), "{host}");
        }
        assert_eq!(see(&open, true, &[]), Err(Denied::NoToken));
    }

    #[test]
    fn a_login_lasts_a_day_and_ends_with_its_token_and_key() {
        let (signer, config) = (Signer::new([1; 32]), config(Some("s3cret"), None));
        let see = |config: &HttpConfig, signer: &Signer, cookie: &str, at| {
            visitor(config, true, signer, &headers(&[("cookie", cookie)]), at)
        };
        let set = login_cookie(config.token.as_ref().unwrap(), &signer, &headers(&[]), at(0));
        assert!(set.ends_with("; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict"), "{set}");
        let secure = headers(&[("x-forwarded-proto", "https")]);
        assert!(logout_cookie(&secure).ends_with("; SameSite=Strict; Secure"));
        let pair = set.split(';').next().unwrap();
        let cookies = format!("other=1; {pair}; more=2");
        assert!(see(&config, &signer, &cookies, at(0)).is_ok());
        assert!(see(&config, &signer, &cookies, at(86_399)).is_ok());
        let denied = Err(Denied::LogIn);
        assert_eq!(see(&config, &signer, &cookies, at(86_400)), denied);
        assert_eq!(see(&config, &Signer::new([2; 32]), &cookies, at(0)), denied);
        let other = self::config(Some("other"), None);
        assert_eq!(see(&other, &signer, &cookies, at(0)), denied);
        let longer = pair.replacen("=1", "=2", 1);
        assert_eq!(see(&config, &signer, &longer, at(0)), denied, "another end");
        for none in ["", COOKIE, "closte-sync-login=", "closte-sync-login=9999999999."] {
            assert_eq!(see(&config, &signer, none, at(0)), denied, "{none}");
        }
        assert_eq!(
            visitor(&config, true, &signer, &headers(&[("host", "localhost")]), at(0)),
            denied
        );
    }

    #[test]
    fn a_form_is_sent_by_the_visitor_who_got_it() {
        let signer = Signer::new([1; 32]);
        let [a, b] = ["1.a", "1.b"].map(|login| Visitor::LoggedIn(login.to_owned()));
        let token = a.form_token(&signer);
        assert!(a.may_send(&token, &signer));
        assert!(!b.may_send(&token, &signer) && !Visitor::Local.may_send(&token, &signer));
        assert!(is_from_elsewhere(&headers(&[("sec-fetch-site", "cross-site")])));
        assert!(is_from_elsewhere(&headers(&[("sec-fetch-site", "same-site")])));
        assert!(!is_from_elsewhere(&headers(&[("sec-fetch-site", "same-origin")])));
    }

    #[test]
    fn failed_logins_slow_down_the_next_ones() {
        let (throttle, mut now) = (LoginThrottle::default(), Instant::now());
        for _ in 0..FREE_FAILURES {
            assert_eq!(throttle.begin(now), Ok(()));
        }
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(throttle.begin(now), Err(wait));
            now += wait;
            assert_eq!(throttle.begin(now), Ok(()), "{seconds}");
        }
        throttle.succeeded();
        assert_eq!(throttle.begin(now), Ok(()));
        for _ in 0..FREE_FAILURES {
            let _ = throttle.begin(now);
        }
        assert!(throttle.begin(now).is_err());
        assert_eq!(throttle.begin(now + FORGOTTEN_AFTER), Ok(()));
    }
}
