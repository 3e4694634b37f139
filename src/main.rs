//! Starts [`closte_sync::cli`].

use std::process::ExitCode;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    closte_sync::cli::main().await
}
