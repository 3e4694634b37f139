//! Tells people what needs them: `[[notify.targets]]`.
//!
//! Events are the outbox. [`Notifier`] folds them into troubles, which stand until another event or the state
//! database shows their end; what each target was told is kept beside them. So what a target is told is
//! decided from what is true when the message leaves, and a crash loses nothing.

mod config;
mod decide;
mod deliver;
mod fold;
mod heartbeat;
mod kinds;
mod message;
mod notifier;
mod record;
mod topics;
mod trial;

pub use config::{NotifyConfig, NotifyTarget, SecretUrl};
pub use heartbeat::CycleHeartbeat;
pub use kinds::{EmailTarget, SecretToken, SigningKey, TargetKind};
pub use message::{Change, Group, Item, Message, MessageKind};
pub use notifier::Notifier;
pub use topics::Selection;
pub use trial::TargetTrial;
