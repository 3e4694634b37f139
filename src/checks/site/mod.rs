//! What a visitor gets: one request for `/`, over the connection whose certificate was just found good.

mod evaluate;
mod pace;
mod request;

use std::{net::IpAddr, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;

use evaluate::{Meaning, Next, Site, evaluate, evaluate_again, evaluate_failure};
pub(super) use pace::SitePace;
pub(super) use request::{Kind, get};

use crate::{
    secrets,
    status::{RowState, SiteResult, SiteVerdict},
};

/// How many addresses of a name are asked.
pub(super) const MOST_ADDRESSES: usize = 4;
/// The time for everything at one address.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// The most redirects on the same name that are followed.
const MOST_REDIRECTS: usize = 5;
/// A page that no cache has: always the same one, because each may stay in a cache for a week.
const PAST_CACHES: &str = "/?closte-sync=1";
/// WordPress's REST root, in the form that works with every setting of permalinks.
const REST_ROOT: &str = "/?rest_route=/&_fields=home,url";

pub(super) type Stream = TlsStream<TcpStream>;

/// Makes another connection to the same server.
pub(super) type Reconnect<'a> =
    dyn Fn() -> BoxFuture<'a, Result<Stream, Failure>> + Send + Sync + 'a;

/// What the site is compared with.
#[derive(Debug, Clone, Default)]
pub struct SiteLook {
    /// The network's own domain, where that is known.
    pub network: Option<String>,
    /// What the plugin's table says.
    pub row: Option<RowState>,
}

/// An answer of a server, as far as it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    status: u16,
    location: Option<String>,
    /// `X-Redirect-By: WordPress`
    is_redirect_by_wordpress: bool,
    /// A proxy says that it challenges the visitor.
    is_challenge: bool,
    sets_cookie: bool,
    retry_after: Option<String>,
    /// The `Link` headers.
    links: Vec<String>,
    /// The first 64 KiB; what is no UTF-8 is replaced.
    body: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    Refused,
    TimedOut,
    /// By the server.
    Closed(String),
    /// On this side.
    Ours(String),
}

/// Asks one address of a name for its site. A few sites need a second request, over another connection.
pub(super) async fn look_at(
    address: IpAddr,
    host: &str,
    look: &SiteLook,
    first: Stream,
    reconnect: &Reconnect<'_>,
    now: Timestamp,
) -> SiteResult {
    let site = Site { host, network: look.network.as_deref(), row: look.row };
    let mut status = None;
    let meaning = ask(site, first, reconnect, &mut status);
    let meaning = timeout(TIMEOUT, meaning).await;
    let meaning = meaning.unwrap_or_else(|_| evaluate_failure(&Failure::TimedOut));
    SiteResult {
        verdict: meaning.verdict,
        checked_at: now,
        address: Some(address),
        status,
        location: meaning.location.as_deref().map(secrets::excerpt),
        error: meaning.error.as_deref().map(secrets::excerpt),
        timed_out: false,
        serving: look.row.map(|row| row.serving),
    }
}

async fn ask(
    site: Site<'_>,
    first: Stream,
    reconnect: &Reconnect<'_>,
    status: &mut Option<u16>,
) -> Meaning {
    let more = async |path: &str, kind| get(reconnect().await?, site.host, path, kind).await;
    let mut path = "/".to_owned();
    let mut answer = get(first, site.host, &path, Kind::Visitor).await;
    for _ in 0..=MOST_REDIRECTS {
        let found = match &answer {
            Ok(found) => found,
            Err(failure) => return evaluate_failure(failure),
        };
        *status = Some(found.status);
        match evaluate(found, &path, site) {
            Next::Done(meaning) => return meaning,
            Next::Follow(target) => {
                path = target;
                answer = more(&path, Kind::Visitor).await;
            }
            Next::Again(meaning) => {
                return match more(PAST_CACHES, Kind::PastCaches).await {
                    Ok(again) => evaluate_again(meaning, &again, PAST_CACHES, site),
                    Err(_) => meaning,
                };
            }
            Next::AskRest { answers, silent } => {
                let rest = more(REST_ROOT, Kind::PastCaches).await;
                return if rest.is_ok_and(|rest| rest.is_rest_root()) { answers } else { silent };
            }
        }
    }
    Meaning::because(SiteVerdict::Loop, "it redirects to itself without end")
}

/// The worst of the results, which counts; of equals the first.
pub(super) fn worst(seen: impl IntoIterator<Item = SiteResult>) -> Option<SiteResult> {
    let badness = |one: &SiteResult| match one.verdict {
        SiteVerdict::Unknown => 0,
        SiteVerdict::Blocked => 1,
        SiteVerdict::Served => 2,
        SiteVerdict::Redirected => 3,
        verdict if verdict.is_decided() => 4,
        SiteVerdict::TimedOut => 5,
        SiteVerdict::ServerError => 6,
        SiteVerdict::OtherServer => 7,
        SiteVerdict::Loop => 8,
        _ => 9,
    };
    seen.into_iter().reduce(|worst, one| if badness(&one) > badness(&worst) { one } else { worst })
}
