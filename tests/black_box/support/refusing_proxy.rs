//! A proxy before a database server, which answers some statements with an error, as other servers do.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Statements with `text` fail with this error. Returns the port. It ends with the test.
pub async fn refusing_proxy(server: u16, text: &'static str, code: u16, error: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = [&[0xff], &code.to_le_bytes()[..], b"#HY000", error.as_bytes()].concat();
    // Of the first packet after the statement.
    let header = [answer.len() as u8, 0, 0, 1];
    let answer = [&header[..], &answer].concat();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, server, text, answer.clone()));
        }
    });
    port
}

/// A statement here fits into one read.
async fn pass_on(
    mut client: TcpStream,
    server: u16,
    text: &str,
    answer: Vec<u8>,
) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    loop {
        tokio::select! {
            read = client.read_buf(&mut asked) => {
                let is_refused = asked.windows(text.len()).any(|part| part == text.as_bytes());
                match read? {
                    0 => return Ok(()),
                    _ if is_refused => client.write_all(&answer).await?,
                    _ => server.write_all(&asked).await?,
                }
                asked.clear();
            }
            read = server.read_buf(&mut answered) => {
                if read? == 0 {
                    return Ok(());
                }
                client.write_all(&answered).await?;
                answered.clear();
            }
        }
    }
}
