//! The connections of the endpoint: so many and no more, the newest ones.

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

/// The most connections at once.
pub(crate) const MOST: usize = 64;
/// How long a visitor may take to say what he wants.
const LONGEST_HEADER: Duration = Duration::from_secs(2);
/// How long a connection may take in all.
const LONGEST_CONNECTION: Duration = Duration::from_secs(30);

/// The open ones, oldest first.
#[derive(Default)]
pub(crate) struct Connections(VecDeque<Connection>);

struct Connection {
    task: AbortHandle,
    /// Whether the visitor has said what he wants.
    has_asked: Arc<AtomicBool>,
}

impl Connections {
    /// Takes another one. Where there are too many, one is closed for it.
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
                tracing::debug!(%error, "a connection broke off");
            }
        });
        self.0.push_back(Connection { task: task.abort_handle(), has_asked });
    }

    /// Closes the oldest of those that have not asked for anything; where all have, the oldest.
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

    /// In this time nothing runs out: it stands still while there is something to do.
    #[tokio::test(start_paused = true)]
    async fn the_oldest_that_says_nothing_makes_room() {
        let router = Router::new()
            .route("/", get(async || "here"))
            .route("/slow", get(async || std::future::pending::<()>().await));
        let began = Instant::now();
        let mut connections = Connections::default();
        let mut visitors = Vec::new();
        let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        for number in 0..3 * MOST {
            let (mut visitor, stream) = duplex(1_024);
            if number == 0 {
                visitor.write_all(request("/slow").as_bytes()).await.unwrap();
            }
            connections.begin(stream, router.clone());
            visitors.push(visitor);
            yield_now().await;
        }
        assert_eq!(connections.0.len(), MOST);
        let (mut newcomer, stream) = duplex(1_024);
        connections.begin(stream, router);
        newcomer.write_all(request("/").as_bytes()).await.unwrap();
        let mut answer = String::new();
        newcomer.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        for visitor in &mut visitors[1..=2 * MOST + 1] {
            assert_eq!(visitor.read_u8().await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        }
        assert_eq!(began.elapsed(), Duration::ZERO, "they made room before their time was over");
        let has_asked = connections.0.iter().filter(|one| one.has_asked.load(Ordering::Relaxed));
        assert_eq!(has_asked.count(), 2, "who has asked is served");
        for _ in 0..2 * MOST {
            connections.close_one();
        }
        assert!(connections.0.is_empty());
    }
}
