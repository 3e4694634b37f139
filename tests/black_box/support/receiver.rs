//! Where notifications arrive: a real HTTP server that answers as it is told to.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

/// What a receiver does with a message.
#[derive(Debug, Clone)]
pub enum Reply {
    Accept,
    /// The status, headers and body of the answer.
    Refuse(u16, Vec<(&'static str, String)>, String),
    /// Never answers.
    Hang,
}

/// A message as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Arrived {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }
}

#[derive(Clone)]
pub struct Receiver {
    address: SocketAddr,
    inside: Arc<Mutex<Inside>>,
}

struct Inside {
    arrived: Vec<Arrived>,
    accepted: Vec<Arrived>,
    /// The next answers; then the last one again and again.
    replies: VecDeque<Reply>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let replies = VecDeque::from([Reply::Accept]);
        let inside = Inside { arrived: Vec::new(), accepted: Vec::new(), replies };
        let inside = Arc::new(Mutex::new(inside));
        let receiver = Self { address: listener.local_addr().unwrap(), inside };
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers like this from now on.
    pub fn reply(&self, reply: Reply) {
        self.reply_in_turn([reply]);
    }

    /// Answers like this one after the other, and like the last of them from then on.
    pub fn reply_in_turn(&self, replies: impl IntoIterator<Item = Reply>) {
        self.lock().replies = replies.into_iter().collect();
    }

    /// All messages, accepted or not.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.lock().arrived.clone()
    }

    pub fn accepted(&self) -> Vec<Arrived> {
        self.lock().accepted.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, arrived: Arrived) -> Reply {
        let mut inside = self.lock();
        let reply = inside.replies.front().unwrap().clone();
        if inside.replies.len() > 1 {
            inside.replies.pop_front();
        }
        if matches!(reply, Reply::Accept) {
            inside.accepted.push(arrived.clone());
        }
        inside.arrived.push(arrived);
        reply
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    match receiver.note(Arrived { path: uri.path().to_owned(), headers, body }) {
        Reply::Accept => StatusCode::NO_CONTENT.into_response(),
        Reply::Hang => std::future::pending().await,
        Reply::Refuse(status, headers, body) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
    }
}
