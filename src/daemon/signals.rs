use std::io::{self, IsTerminal as _};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The end, by the signal of this name.
    Stop(&'static str),
    /// New settings.
    Reload,
}

/// Takes the signals over from the system: SIGTERM and SIGINT ask for the end, SIGHUP for new
/// settings. After the first one that asks for the end, a second one ends the process at once, with
/// status 1, whatever it is doing.
pub fn signals() -> mpsc::Receiver<Signal> {
    // A limit of the size of files fails the write, and does not end the process.
    let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    // One for new settings, one for the end: where one of a kind waits, another changes nothing.
    let (sender, receiver) = mpsc::channel(2);
    // Somebody who closes a terminal means the end.
    let hangup = if io::stdin().is_terminal() { Signal::Stop("SIGHUP") } else { Signal::Reload };
    let streams = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    );
    tokio::spawn(async move {
        // Only a process that is out of file descriptors cannot listen; then the signals keep their
        // usual effect, and end it.
        let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) = streams else {
            return sender.closed().await;
        };
        let mut is_ending = false;
        loop {
            let signal = tokio::select! {
                _ = terminate.recv() => Signal::Stop("SIGTERM"),
                _ = interrupt.recv() => Signal::Stop("SIGINT"),
                _ = hang_up.recv() => hangup,
            };
            match signal {
                Signal::Stop(_) if is_ending => std::process::exit(1),
                Signal::Stop(_) => {
                    is_ending = true;
                    // Nobody listens only when it is the end already.
                    let _ = sender.send(signal).await;
                }
                Signal::Reload if sender.capacity() == 2 => drop(sender.try_send(signal)),
                Signal::Reload => {}
            }
        }
    });
    receiver
}
