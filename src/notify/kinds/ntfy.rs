//! <https://docs.ntfy.sh/publish/#publish-as-json>

use reqwest::{Method, Url, header::AUTHORIZATION};
use serde_json::json;

use super::{Post, ProbeCall, SecretToken};
use crate::notify::{
    config::SecretUrl,
    message::{Message, Urgency},
};

/// The longest text in bytes: a longer one would become an attachment.
const LONGEST_TEXT: usize = 3_800;

/// The server and the topic of an address such as `https://ntfy.sh/topic`.
pub(super) fn topic(url: &Url) -> Option<(Url, String)> {
    let path = url.path().trim_end_matches('/');
    let (folder, topic) = path.rsplit_once('/')?;
    let mut server = url.clone();
    server.set_path(&format!("{folder}/"));
    (!topic.is_empty()).then(|| (server, topic.to_owned()))
}

/// Asks the server whether this user may use the topic.
pub(super) fn probe(url: &SecretUrl, token: Option<&SecretToken>) -> ProbeCall {
    let mut address = url.expose().clone();
    address.set_path(&format!("{}/auth", url.expose().path().trim_end_matches('/')));
    let call = authorized(Post::json(address, String::new()), token);
    ProbeCall { method: Method::GET, url: call.url, headers: call.headers, is_certain: true }
}

fn authorized(post: Post, token: Option<&SecretToken>) -> Post {
    match token {
        Some(token) => post.with_header(AUTHORIZATION, &format!("Bearer {}", token.expose())),
        None => post,
    }
}

pub(super) fn render(url: &SecretUrl, token: Option<&SecretToken>, message: &Message) -> Post {
    let (server, topic) =
        topic(url.expose()).unwrap_or_else(|| (url.expose().clone(), String::new()));
    let (priority, tag) = match message.urgency() {
        Urgency::Error => (5, "rotating_light"),
        Urgency::Warning => (4, "warning"),
        Urgency::Info => (3, "information_source"),
        Urgency::Good => (3, "white_check_mark"),
    };
    let message = &message.shortened_until(|message| message.text().len() <= LONGEST_TEXT);
    let mut body = json!({
        "topic": topic,
        "title": message.title,
        "message": message.text(),
        "priority": priority,
        "tags": [tag],
    });
    if let (Some(domain), Some(body)) = (message.domain(), body.as_object_mut()) {
        body.insert("click".to_owned(), format!("https://{domain}/").into());
    }
    authorized(Post::json(server, body.to_string()), token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_is_the_last_part_of_the_path() {
        let parts = |text: &str| topic(&text.parse().unwrap());
        let (server, name) = parts("https://ntfy.sh/closte-alerts").unwrap();
        assert_eq!((server.as_str(), name.as_str()), ("https://ntfy.sh/", "closte-alerts"));
        let (server, name) = parts("http://ntfy:8080/below/topic/").unwrap();
        assert_eq!((server.as_str(), name.as_str()), ("http://ntfy:8080/below/", "topic"));
        assert_eq!(parts("https://ntfy.sh/"), None);
    }
}
