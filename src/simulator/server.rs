use std::{
    future,
    io::{Error, ErrorKind},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router, body,
    extract::{ConnectInfo, Request as HttpRequest, State, connect_info::Connected},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::{Account, Call, Fault, Request, lock};

/// In bytes.
const REQUEST_LIMIT: usize = 64 << 10;

pub(super) async fn serve(listener: TcpListener, account: Arc<Account>, stop: CancellationToken) {
    let router = Router::new().fallback(answer).with_state(account.clone());
    let service = router.into_make_service_with_connect_info::<Breakable>();
    let serving =
        future::IntoFuture::into_future(axum::serve(Counting { listener, account }, service));
    // axum's own loop continues after every error.
    let _ = stop.run_until_cancelled(serving).await;
}

async fn answer(
    State(account): State<Arc<Account>>,
    ConnectInfo(connection): ConnectInfo<Breakable>,
    request: HttpRequest,
) -> Response {
    let _counted = InFlight::begin(account.clone());
    let (request, key) = read(&account, request).await;
    let (fault, latency) = account.receive(&request);
    let response = match fault {
        None if request.call == Call::Unknown => StatusCode::NOT_FOUND.into_response(),
        None => json(account.answer(&request).to_string()),
        Some(Fault::Status(status)) => code(status).into_response(),
        Some(Fault::RetryAfter(status, seconds)) => {
            (code(status), [(header::RETRY_AFTER, seconds.to_string())]).into_response()
        }
        Some(Fault::Redirect(to)) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Some(Fault::Body(body)) => body.into_response(),
        Some(Fault::Failure(error)) => {
            let error = error.replace("{apikey}", &key);
            json(serde_json::json!({"success": false, "error": error}).to_string())
        }
        Some(Fault::EmptyPromise) => json(r#"{"success": true}"#.to_owned()),
        Some(Fault::Hang) => future::pending().await,
        Some(Fault::HeldAnswer) => {
            account.answer(&request);
            future::pending().await
        }
        Some(Fault::Reset) => connection.reset(),
        Some(Fault::LostAnswer) => {
            account.answer(&request);
            connection.reset()
        }
    };
    if latency > Duration::ZERO {
        tokio::time::sleep(latency).await;
    }
    response
}

fn json(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Reads the fields of the query and of the form, as PHP does.
async fn read(account: &Account, request: HttpRequest) -> (Request, String) {
    let path = request.uri().path().trim_end_matches('/').to_owned();
    let is_get = request.method() == Method::GET;
    let query = request.uri().query().unwrap_or_default().to_owned();
    let form = body::to_bytes(request.into_body(), REQUEST_LIMIT).await.unwrap_or_default();
    let fields = if is_get { query.as_bytes() } else { &form };
    let field = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(fields);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let (key, domain, wildcard) =
        (field("apikey").unwrap_or_default(), field("domain"), field("wildcard"));
    let path = path.strip_prefix("/api/client/").unwrap_or_default().to_owned();
    let call = match (is_get, path.as_str()) {
        (true, "getdomains") => Call::List,
        (false, "adddomainalias") if domain.is_some() => Call::Add,
        (false, "adddomainalias") => Call::KeyTest,
        (false, "deletedomainalias") => Call::Remove,
        (false, "ssl/install" | "installssl" | "ssl" | "certificate/install" | "ssl/status") => {
            Call::Certificate
        }
        _ => Call::Unknown,
    };
    let key_accepted = key == *lock(&account.api_key);
    (Request { call, path, domain, wildcard, key_accepted }, key)
}

/// Counts a request while it is in flight.
struct InFlight(Arc<Account>);

impl InFlight {
    fn begin(account: Arc<Account>) -> Self {
        let mut state = account.state();
        state.in_flight += 1;
        state.most_in_flight = state.most_in_flight.max(state.in_flight);
        drop(state);
        Self(account)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
    }
}

/// Counts connections, and makes them [`Breakable`].
struct Counting {
    listener: TcpListener,
    account: Arc<Account>,
}

impl Listener for Counting {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        self.account.state().connections += 1;
        (Connection { stream, breakable: Breakable::default() }, peer)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Lets a handler reset the connection of its request.
#[derive(Debug, Clone, Default)]
struct Breakable {
    broken: Arc<AtomicBool>,
}

impl Breakable {
    /// Makes the next write to the connection reset it.
    fn reset(&self) -> Response {
        self.broken.store(true, Ordering::Relaxed);
        StatusCode::OK.into_response()
    }
}

impl Connected<IncomingStream<'_, Counting>> for Breakable {
    fn connect_info(stream: IncomingStream<'_, Counting>) -> Self {
        stream.io().breakable.clone()
    }
}

struct Connection {
    stream: TcpStream,
    breakable: Breakable,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    /// Resets the connection instead, after [`Breakable::reset`].
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.breakable.broken.load(Ordering::Relaxed) {
            self.stream.set_zero_linger()?;
            return Poll::Ready(Err(Error::from(ErrorKind::ConnectionReset)));
        }
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
