//! A practice Closte that goes on until it is stopped: `cargo run --example practice-closte KEY`.
//! Point `closte.base_url` at the address that it prints.

use closte_sync::simulator::Simulator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let key = std::env::args().nth(1).unwrap_or_else(|| "practice-key".to_owned());
    let closte = Simulator::start(&key).await?;
    println!("{}", closte.base_url());
    tokio::signal::ctrl_c().await
}
