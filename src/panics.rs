//! A panic is a fault of this program. It is logged, and does not end the daemon.

use std::{any::Any, panic};

use crate::{events::Event, secrets};

/// The message of a panic. [`log_all`] logs its location.
pub(crate) fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    secrets::excerpt(text.unwrap_or("a panic without a message"))
}

/// Logs every panic from now on.
pub(crate) fn log_all() {
    panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let error = reason(panic.payload());
        Event::Panicked { at, error }.log();
    }));
}
