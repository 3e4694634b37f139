use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, fmt::rfc2822};
use rand::RngExt as _;
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{DATE, HeaderMap},
    redirect::{Action, Attempt, Policy},
};
use tokio::task::spawn_blocking;

use super::{
    ApiKey, BaseUrl, Calls, ClosteError, List, Redirect, RetryAfter, body,
    calls::CallLabels,
    list::Domains,
    redirect::is_followed,
    wire::{Answer, is_web_page},
};
use crate::{
    back_off::BackOff,
    domain::{CLOSTES_OWN, DomainName},
    secrets::{LONGEST_TEXT, excerpt},
};

/// The largest answer that is read, except for the list, in bytes.
const BODY_LIMIT: usize = 1 << 20;
/// How many pieces of a list may have arrived and wait to be parsed.
const PIECES_WAITING: usize = 4;
/// What the API answers if it refuses a name, and to a call without a name.
const REFUSAL: &str = "Invalid or empty domain";
/// How often a call is made in all that fails for a reason that may heal.
const TRIES: u32 = 3;
/// Between the tries of a call.
const RETRY: BackOff =
    BackOff { first: Duration::from_millis(250), longest: Duration::from_millis(750) };
/// A call with a longer `Retry-After` is left to the next cycle.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The call for the list: the only GET.
const LIST: &str = "getdomains";

/// A client of Closte's API.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: BaseUrl,
    key: Arc<ApiKey>,
    timeout: Duration,
    calls: Calls,
}

/// In the order in which the plugin tries them.
const CERTIFICATE_CALLS: [&str; 4] = ["ssl/install", "installssl", "ssl", "certificate/install"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    /// Calls that Closte does not have: it answers 404 or 405, or shows or redirects to a web page.
    pub absent: Vec<&'static str>,
    /// What it answered to which call; none if it has none of them.
    pub answer: Result<Option<String>, ClosteError>,
}

struct Received {
    headers: HeaderMap,
    body: Vec<u8>,
    was_redirected: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct KeyTest {
    /// Closte's clock, by the answer's `Date` header.
    pub server_time: Option<Timestamp>,
}

impl Client {
    /// A client for the API at `base`. `timeout` bounds each call, its answer included;
    /// `concurrency` is how many connections are kept open.
    ///
    /// # Errors
    /// [`ClosteError::Unreachable`] when the system's root certificates cannot be loaded.
    pub fn new(
        base: BaseUrl,
        key: ApiKey,
        timeout: Duration,
        concurrency: usize,
    ) -> Result<Self, ClosteError> {
        // Fails only if one is installed already, which is then used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("closte-sync/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .timeout(timeout)
            .pool_max_idle_per_host(concurrency)
            // The header would hold the address of the list call, and with it the key.
            .referer(false)
            .redirect(Policy::custom(follow_or_stop));
        if base.is_plain_http() {
            // A proxy would see the key.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| ClosteError::from_transport(&error, timeout))?;
        Ok(Self { http, base, key: Arc::new(key), timeout, calls: Calls::default() })
    }

    /// Counts the calls in `calls`, together with those of other clients.
    pub fn counted_by(self, calls: Calls) -> Self {
        Self { calls, ..self }
    }

    fn counted<T>(
        &self,
        call: &'static str,
        result: Result<T, ClosteError>,
    ) -> Result<T, ClosteError> {
        self.calls.get_or_create(&CallLabels::of(call, &result)).inc();
        result
    }

    /// Every name at Closte.
    ///
    /// # Errors
    /// Any [`ClosteError`] but [`ClosteError::NameRefused`].
    pub async fn list(&self) -> Result<List, ClosteError> {
        self.counted("list", self.ask_for_list().await)
    }

    async fn ask_for_list(&self) -> Result<List, ClosteError> {
        let request =
            || self.http.get(self.base.join(LIST)).query(&[("apikey", self.key.expose())]);
        let answer = self
            .retry(async || {
                let (response, was_redirected) = self.respond(request()).await?;
                self.read_list(response, was_redirected).await
            })
            .await?;
        if !answer.success {
            return Err(self.rejection(answer));
        }
        let list = match answer.domains {
            Domains::List(list) => *list,
            // It may mean that there is no domain. Names can be added then; none is removed.
            Domains::Null => List { unparsed: 1, example: Some("null".into()), ..List::default() },
            Domains::Missing | Domains::NoList(_) => {
                let why = format!("its `domains` is no list; the answer has {}", answer.keys);
                return Err(ClosteError::InvalidResponse(excerpt(&why)));
            }
        };
        Ok(List {
            example: list.example.map(|example| excerpt(&example)),
            shape: list.shape.within(answer.keys),
            ..list
        })
    }

    /// Adds a name. Harmless if it is there already.
    pub async fn add(&self, name: &DomainName) -> Result<(), ClosteError> {
        self.counted("add", self.change("adddomainalias", name).await)
    }

    pub async fn remove(&self, name: &DomainName) -> Result<(), ClosteError> {
        self.counted("remove", self.change("deletedomainalias", name).await)
    }

    /// Tests whether the key is accepted, as the plugin does: by a call to add without a name, which
    /// changes nothing.
    ///
    /// # Errors
    /// [`ClosteError::KeyRejected`] if it is not, others if the test failed.
    pub async fn test_key(&self) -> Result<KeyTest, ClosteError> {
        self.counted("test_key", self.ask_whether_key_is_accepted().await)
    }

    async fn ask_whether_key_is_accepted(&self) -> Result<KeyTest, ClosteError> {
        let form = [("apikey", self.key.expose())];
        let request = self.http.post(self.base.join("adddomainalias")).form(&form);
        let received = self.send(request).await?;
        let text = self.parse(&received)?.error_text();
        if text.starts_with(REFUSAL) {
            Ok(KeyTest { server_time: server_time(&received.headers) })
        } else {
            Err(ClosteError::KeyRejected(excerpt(&text)))
        }
    }

    /// Requests a certificate by each call that is not in `absent`, until one is answered. Which of them
    /// exists is not documented.
    pub async fn request_certificate(
        &self,
        name: &DomainName,
        absent: &[&str],
    ) -> CertificateRequest {
        let mut request = self.try_certificate_calls(name, absent).await;
        if request.answer != Ok(None) {
            request.answer = self.counted("request_certificate", request.answer);
        }
        request
    }

    async fn try_certificate_calls(
        &self,
        name: &DomainName,
        absent: &[&str],
    ) -> CertificateRequest {
        let form =
            [("apikey", self.key.expose()), ("domain", name.as_str()), ("type", "letsencrypt")];
        let answer = may_be_sent(name).map(|()| None);
        let mut request = CertificateRequest { absent: Vec::new(), answer };
        if request.answer.is_err() {
            return request;
        }
        for path in CERTIFICATE_CALLS.iter().filter(|path| !absent.contains(*path)) {
            match self.send(self.http.post(self.base.join(path)).form(&form)).await {
                // A page does not answer the call: Closte's own clients do not make it.
                Ok(received) if is_web_page(&received.body) => request.absent.push(path),
                Ok(received) => {
                    request.answer = match self.parse(&received) {
                        Ok(answer) if answer.success => Ok(Some(format!("{path}: success"))),
                        Ok(answer) => Err(self.rejection(answer)),
                        Err(error) => Err(error),
                    };
                    return request;
                }
                Err(
                    ClosteError::NotFound { .. }
                    | ClosteError::Redirected { why: Redirect::OtherPage, .. },
                ) => request.absent.push(path),
                Err(
                    error @ (ClosteError::Unreachable { .. } | ClosteError::RateLimited { .. }),
                ) => {
                    request.answer = Err(error);
                    return request;
                }
                Err(error) => request.answer = Err(error),
            }
        }
        request
    }

    async fn change(&self, path: &str, name: &DomainName) -> Result<(), ClosteError> {
        may_be_sent(name)?;
        let wildcard = if name.is_wildcard() { "1" } else { "0" };
        let form =
            [("apikey", self.key.expose()), ("domain", name.as_str()), ("wildcard", wildcard)];
        let attempt = async || {
            self.parse(&self.send(self.http.post(self.base.join(path)).form(&form)).await?)
        };
        let answer = self.retry(attempt).await?;
        if answer.success { Ok(()) } else { Err(self.rejection(answer)) }
    }

    /// Makes a call, again if it fails and may succeed a moment later.
    async fn retry(
        &self,
        attempt: impl AsyncFn() -> Result<Answer, ClosteError>,
    ) -> Result<Answer, ClosteError> {
        let mut tries = 1;
        loop {
            let error = match attempt().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let asked = error.retry_after().unwrap_or_default();
            if tries == TRIES || !error.may_heal_soon() || asked > LONGEST_WAIT {
                return Err(error);
            }
            // With jitter, so that calls that failed together are not repeated together.
            let wait = RETRY.after(tries).mul_f64(rand::rng().random_range(1.0..2.0));
            tokio::time::sleep(wait.max(asked)).await;
            tries += 1;
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Received, ClosteError> {
        let (response, was_redirected) = self.respond(request).await?;
        let headers = response.headers().clone();
        Ok(Received { headers, body: self.body(response).await?, was_redirected })
    }

    /// Makes a call once. The result is the answer, and whether a redirect was followed to it.
    async fn respond(&self, request: RequestBuilder) -> Result<(Response, bool), ClosteError> {
        let unreachable = |error: reqwest::Error| ClosteError::from_transport(&error, self.timeout);
        let request = request.build().map_err(unreachable)?;
        let (method, asked_for) = (request.method().clone(), request.url().clone());
        let response = self.http.execute(request).await.map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            let was_redirected = *response.url() != asked_for;
            return Ok((response, was_redirected));
        }
        let retry_after = RetryAfter::read(response.headers(), Timestamp::now());
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS => ClosteError::RateLimited { retry_after },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ClosteError::KeyRejected(format!(
                "HTTP {status}: not allowed, or this server's address is blocked"
            )),
            _ if status.is_server_error() => {
                ClosteError::ServerError { status: status.as_u16(), retry_after }
            }
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                ClosteError::NotFound { status: status.as_u16() }
            }
            _ if status.is_redirection() => {
                let why = match Redirect::of(&response, &method) {
                    Redirect::OtherHost(host) => Redirect::OtherHost(excerpt(&host)),
                    Redirect::OtherScheme(scheme) => Redirect::OtherScheme(excerpt(&scheme)),
                    other => other,
                };
                ClosteError::Redirected { status: status.as_u16(), why }
            }
            _ => ClosteError::InvalidResponse(format!("HTTP {status}; check closte.base_url")),
        })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, ClosteError> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            match chunk.map_err(|error| ClosteError::from_transport(&error, self.timeout))? {
                Some(chunk) if body.len() + chunk.len() <= BODY_LIMIT => {
                    body.extend_from_slice(&chunk);
                }
                Some(_) => {
                    let limit = format!("it is larger than {} MiB", BODY_LIMIT >> 20);
                    return Err(ClosteError::InvalidResponse(limit));
                }
                None => return Ok(body),
            }
        }
    }

    /// Parses a list while it arrives.
    async fn read_list(
        &self,
        mut response: Response,
        was_redirected: bool,
    ) -> Result<Answer, ClosteError> {
        let (pieces, body) = body::channel(PIECES_WAITING);
        let parsing = spawn_blocking(|| Answer::read(body));
        let mut start = Vec::new();
        while let Some(piece) = response
            .chunk()
            .await
            .map_err(|error| ClosteError::from_transport(&error, self.timeout))?
        {
            let missing = LONGEST_TEXT.saturating_sub(start.len());
            start.extend(piece.iter().take(missing));
            if pieces.send(piece).await.is_err() {
                // What is wrong with it is known.
                break;
            }
        }
        drop(pieces);
        match parsing.await {
            Ok(answer) => answer.map_err(|error| unreadable(&error, &start, was_redirected)),
            Err(panic) => Err(ClosteError::InvalidResponse(panic.to_string())),
        }
    }

    fn parse(&self, received: &Received) -> Result<Answer, ClosteError> {
        let Received { body, was_redirected, .. } = received;
        Answer::read(&**body).map_err(|error| {
            unreadable(&error, body.get(..LONGEST_TEXT).unwrap_or(body), *was_redirected)
        })
    }

    fn rejection(&self, answer: Answer) -> ClosteError {
        // The meaning is read from the text before secrets are masked in it.
        let text = answer.error_text();
        let lower = text.to_ascii_lowercase();
        let text = excerpt(&text);
        if lower.starts_with(&REFUSAL.to_ascii_lowercase()) {
            ClosteError::NameRefused(text)
        } else if ["api key", "apikey", "api_key", "unauthor", "not authenticated"]
            .iter()
            .any(|word| lower.contains(word))
        {
            ClosteError::KeyRejected(text)
        } else {
            ClosteError::Rejected(text)
        }
    }
}

/// What is wrong with an answer that begins with `start`.
fn unreadable(error: &serde_json::Error, start: &[u8], was_redirected: bool) -> ClosteError {
    ClosteError::InvalidResponse(match String::from_utf8_lossy(start).trim() {
        "" => "it is empty".to_owned(),
        page if is_web_page(start) && was_redirected => format!(
            "a redirect on the same host leads to a web page, such as a login page; check \
             closte.base_url, and the key with `closte-sync doctor`: {}",
            excerpt(page)
        ),
        page if is_web_page(start) => format!("a web page instead of JSON: {}", excerpt(page)),
        _ if error.is_eof() => "it is cut short".to_owned(),
        other => format!("{} in {}", excerpt(&error.to_string()), excerpt(other)),
    })
}

/// The last check: such names should have been excluded before.
fn may_be_sent(name: &DomainName) -> Result<(), ClosteError> {
    if name.is_clostes_own() {
        return Err(ClosteError::NameRefused(CLOSTES_OWN.to_owned()));
    }
    Ok(())
}

/// The policy does not see the method: the call for the list is a GET, all others are POSTs.
fn follow_or_stop(attempt: Attempt<'_>) -> Action {
    let is_list = attempt.previous().first().is_some_and(|first| first.path().ends_with(LIST));
    let method = if is_list { Method::GET } else { Method::POST };
    if is_followed(&attempt, &method) { attempt.follow() } else { attempt.stop() }
}

fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    Some(rfc2822::parse(headers.get(DATE)?.to_str().ok()?).ok()?.timestamp())
}
