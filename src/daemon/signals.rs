use std::io::{self, IsTerminal as _};

use super::Trigger;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// By the signal of this name.
    Stop(&'static str),
    Reload,
}

/// Handles SIGTERM and SIGINT (stop), SIGHUP (reload; stop on a terminal) and SIGUSR1 (pulls the
/// trigger). A second signal to stop ends the process immediately, with status 1.
pub fn signals(trigger: Trigger) -> mpsc::Receiver<Signal> {
    // Without a handler, a file size limit would end the process; with one, the write fails.
    let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    // Room for one reload and one stop: further ones would change nothing.
    let (sender, receiver) = mpsc::channel(2);
    // A closed terminal stops the program.
    let hangup = if io::stdin().is_terminal() { Signal::Stop("SIGHUP") } else { Signal::Reload };
    let streams = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
        signal(SignalKind::user_defined1()),
    );
    tokio::spawn(async move {
        // This fails only without free file descriptors; then the signals end the process by default.
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up), Ok(mut user)) = streams else {
            return sender.closed().await;
        };
        let mut is_ending = false;
        loop {
            let signal = tokio::select! {
                _ = terminate.recv() => Signal::Stop("SIGTERM"),
                _ = interrupt.recv() => Signal::Stop("SIGINT"),
                _ = hang_up.recv() => hangup,
                _ = user.recv() => {
                    trigger.pull();
                    continue;
                }
            };
            match signal {
                Signal::Stop(_) if is_ending => std::process::exit(1),
                Signal::Stop(_) => {
                    is_ending = true;
                    // The receiver is gone only when the daemon has stopped already.
                    let _ = sender.send(signal).await;
                }
                Signal::Reload if sender.capacity() == 2 => drop(sender.try_send(signal)),
                Signal::Reload => {}
            }
        }
    });
    receiver
}
