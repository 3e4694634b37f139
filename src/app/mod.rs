//! From the settings to the parts that run.

mod settings;

pub use settings::Settings;
