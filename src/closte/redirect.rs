use reqwest::{Method, Response, StatusCode, Url, header::LOCATION, redirect::Attempt};
use thiserror::Error;

/// How many redirects in a row are followed.
const MOST: usize = 3;

/// Why a redirect was not followed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Redirect {
    #[error(
        "a redirect without a target (Location); check closte.base_url, and ask Closte's support if it \
         lasts"
    )]
    Nowhere,
    #[error(
        "a redirect whose target is no web address; check closte.base_url, and ask Closte's \
         support if it lasts"
    )]
    NoAddress,
    #[error(
        "a redirect to another host, {0}, which must not get the key; if Closte has moved there, \
         set closte.base_url"
    )]
    OtherHost(String),
    #[error(
        "a redirect to port {0} of the same host, where another program may listen; if Closte has \
         moved there, set closte.base_url"
    )]
    OtherPort(u16),
    #[error(
        "a redirect from https to http, where others could read the key; ask the \
         administrator of this network, or Closte's support, what redirects"
    )]
    Unencrypted,
    /// Such as from `http` to `https` on loopback.
    #[error("a redirect to an address with another scheme, {0}; check closte.base_url")]
    OtherScheme(String),
    #[error(
        "more than {MOST} redirects in a row, which may be a loop; check closte.base_url, \
         and ask Closte's support if it lasts"
    )]
    Endless,
    /// To the same host, but without the fields that were sent.
    #[error(
        "a redirect to another page of the same host, such as a login page; check closte.base_url, \
         and the key with `closte-sync doctor`"
    )]
    OtherPage,
    /// A status that is no redirect: 300, 304, 305, 306.
    #[error(
        "neither an answer nor a redirect that can be followed; does a cache or a proxy in between \
         answer for Closte?"
    )]
    None,
}

impl Redirect {
    /// Why a redirect was not followed. Texts in it are not masked.
    pub(super) fn of(response: &Response, method: &Method) -> Self {
        if !is_redirect(response.status()) {
            return Self::None;
        }
        let Some(location) = response.headers().get(LOCATION) else {
            return Self::Nowhere;
        };
        let from = response.url();
        match location.to_str().ok().and_then(|to| from.join(to).ok()) {
            Some(to) => objection(response.status(), method, from, &to).unwrap_or(Self::Endless),
            None => Self::NoAddress,
        }
    }
}

/// Whether a redirect is followed: only to the same host, with the same method and fields.
pub(super) fn is_followed(attempt: &Attempt<'_>, method: &Method) -> bool {
    attempt.previous().last().is_some_and(|from| {
        attempt.previous().len() <= MOST
            && objection(attempt.status(), method, from, attempt.url()).is_none()
    })
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301..=303 | 307 | 308)
}

fn objection(status: StatusCode, method: &Method, from: &Url, to: &Url) -> Option<Redirect> {
    if to.host() != from.host() {
        let Some(host) = to.host_str().filter(|host| !host.is_empty()) else {
            return Some(Redirect::OtherScheme(to.scheme().to_owned()));
        };
        let port = to.port().map(|port| format!(":{port}")).unwrap_or_default();
        return Some(Redirect::OtherHost(format!("{host}{port}")));
    }
    match (from.scheme(), to.scheme()) {
        ("https", "http") => return Some(Redirect::Unencrypted),
        (from, to) if from != to => return Some(Redirect::OtherScheme(to.to_owned())),
        _ => {}
    }
    if let Some(port) = to.port_or_known_default()
        && from.port_or_known_default() != Some(port)
    {
        return Some(Redirect::OtherPort(port));
    }
    // These make a POST a GET without its fields, which is another call.
    let becomes_another = matches!(status.as_u16(), 301..=303) && *method != Method::GET;
    becomes_another.then_some(Redirect::OtherPage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_followed_only_to_the_same_host_with_the_same_method() {
        const LIST: &str = "https://app.closte.com/api/client/getdomains?apikey=KEY";
        let objection_to = |method: Method, status: u16, to: &str| {
            let (from, status) = (LIST.parse().unwrap(), StatusCode::from_u16(status).unwrap());
            objection(status, &method, &from, &to.parse().unwrap())
        };
        let same_host = "https://APP.closte.com:443/api/v2/getdomains?apikey=KEY";
        for status in [301, 302, 303, 307, 308] {
            assert_eq!(objection_to(Method::GET, status, same_host), None);
        }
        for status in [307, 308] {
            assert_eq!(objection_to(Method::POST, status, same_host), None);
        }
        for status in [301, 302, 303] {
            assert_eq!(objection_to(Method::POST, status, same_host), Some(Redirect::OtherPage));
        }
        let other = |host: &str| Redirect::OtherHost(host.to_owned());
        for (to, why) in [
            ("https://closte.com/api/client", other("closte.com")),
            ("http://login.example:8080/?apikey=KEY", other("login.example:8080")),
            ("https://user:KEY@login.example/", other("login.example")),
            ("https://[2001:db8::1]/", other("[2001:db8::1]")),
            ("https://app.closte.com:8443/", Redirect::OtherPort(8443)),
            ("http://app.closte.com/api/client", Redirect::Unencrypted),
            ("ftp://app.closte.com/", Redirect::OtherScheme("ftp".to_owned())),
            ("mailto:a@b.example", Redirect::OtherScheme("mailto".to_owned())),
            ("data:text/html,KEY", Redirect::OtherScheme("data".to_owned())),
        ] {
            assert_eq!(objection_to(Method::GET, 302, to), Some(why), "{to}");
        }
    }
}
