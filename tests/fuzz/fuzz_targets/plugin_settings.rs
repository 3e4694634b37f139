//! Arbitrary bytes as the plugin's settings: values are in bounds, and errors are short.
#![no_main]

use closte_sync::wordpress::{PluginSettings, closte_integration};
use libfuzzer_sys::fuzz_target;

fn is_one_line(error: &str) -> bool {
    error.len() < 1_000 && !error.contains('\n')
}

fuzz_target!(|bytes: &[u8]| {
    match PluginSettings::read(Some(bytes)) {
        Ok(read) => {
            let seconds = read.dns_check_interval.map(|interval| interval.as_secs());
            assert!(seconds.is_none_or(|seconds| seconds <= 86_400));
        }
        Err(error) => assert!(is_one_line(&error), "{error}"),
    }
    if let Err(error) = closte_integration(Some(bytes)) {
        assert!(is_one_line(&error), "{error}");
    }
});
