//! The program. The library's documentation has the tour.

use std::process::ExitCode;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    closte_sync::cli::main().await
}
