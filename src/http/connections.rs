//! The connections of the admin server: a bounded number. A new one replaces an old one.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use hyper::{
    Request,
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::AbortHandle,
    time::timeout,
};

/// The most connections at the same time.
pub(crate) const MOST: usize = 64;
/// The longest time until a client has sent its request.
const LONGEST_HEADER: Duration = Duration::from_secs(2);
/// The longest life of a connection.
const LONGEST_CONNECTION: Duration = Duration::from_secs(30);

/// The open ones, oldest first.
#[derive(Default)]
pub(crate) struct Connections(VecDeque<Connection>);

struct Connection {
    task: AbortHandle,
    /// Whether the client has sent a request.
    has_asked: Arc<AtomicBool>,
}

impl Connections {
    /// Serves a connection. Where there are too many, one is closed for it.
    pub(crate) fn begin(
        &mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        router: Router,
    ) {
        self.0.retain(|one| !one.task.is_finished());
        if self.0.len() >= MOST {
            self.close_one();
        }
        let has_asked = Arc::new(AtomicBool::new(false));
        let service = {
            let (has_asked, router) = (has_asked.clone(), TowerToHyperService::new(router));
            service_fn(move |request: Request<Incoming>| {
                has_asked.store(true, Ordering::Relaxed);
                router.call(request)
            })
        };
        let connection = http1::Builder::new()
            .keep_alive(false)
            .header_read_timeout(LONGEST_HEADER)
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        let task = tokio::spawn(async move {
            if let Ok(Err(error)) = timeout(LONGEST_CONNECTION, connection).await {
                tracing::debug!(%error, "a connection failed");
            }
        });
        self.0.push_back(Connection { task: task.abort_handle(), has_asked });
    }

    /// Closes the oldest connection without a request; where there is none, the oldest of all.
    pub(crate) fn close_one(&mut self) {
        let silent = self.0.iter().position(|one| !one.has_asked.load(Ordering::Relaxed));
        if let Some(one) = self.0.remove(silent.unwrap_or(0)) {
            one.task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
        task::yield_now,
        time::Instant,
    };

    use super::*;

    /// The paused clock stands still while a task is ready, so no timeout expires.
    #[tokio::test(start_paused = true)]
    async fn the_oldest_connection_without_a_request_makes_room() {
        let router = Router::new()
            .route("/", get(async || "here"))
            .route("/slow", get(async || std::future::pending::<()>().await));
        let began = Instant::now();
        let mut connections = Connections::default();
        let mut clients = Vec::new();
        let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        for number in 0..3 * MOST {
            let (mut client, stream) = duplex(1_024);
            if number == 0 {
                client.write_all(request("/slow").as_bytes()).await.unwrap();
            }
            connections.begin(stream, router.clone());
            clients.push(client);
            yield_now().await;
        }
        assert_eq!(connections.0.len(), MOST);
        let (mut newcomer, stream) = duplex(1_024);
        connections.begin(stream, router);
        newcomer.write_all(request("/").as_bytes()).await.unwrap();
        let mut answer = String::new();
        newcomer.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        for client in &mut clients[1..=2 * MOST + 1] {
            assert_eq!(client.read_u8().await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "they were closed before a timeout");
        let has_asked = connections.0.iter().filter(|one| one.has_asked.load(Ordering::Relaxed));
        assert_eq!(has_asked.count(), 2, "connections with a request stay");
        for _ in 0..2 * MOST {
            connections.close_one();
        }
        assert!(connections.0.is_empty());
    }
}
