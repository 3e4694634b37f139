//! A practice Closte that goes on until it is stopped: `cargo run --example practice-closte`.
//! Point `closte.base_url` at the address that it prints.

use std::net::SocketAddr;

use clap::Parser;
use closte_sync::simulator::Simulator;
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};

/// A practice Closte that goes on until it is stopped
#[derive(Parser)]
#[command(max_term_width = 80)]
struct Arguments {
    /// The key that it accepts
    #[arg(default_value = "practice-key")]
    key: String,
    /// Where it listens. With 0.0.0.0:8080 other machines and containers reach it at this machine's
    /// address, where closte-sync needs closte.allow_plain_http
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let Arguments { key, listen } = Arguments::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let closte = Simulator::listen(listen, &key).await?;
    println!("{}", closte.base_url());
    tokio::select! {
        interrupted = ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
