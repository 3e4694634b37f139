//! Any bytes as the plugin's settings: what is read is in bounds.
#![no_main]

use closte_sync::wordpress::PluginSettings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for (settings, integrations) in [(Some(bytes), None), (None, Some(bytes))] {
        match PluginSettings::read(settings, integrations) {
            Ok(read) => {
                let seconds = read.dns_check_interval.map(|interval| interval.as_secs());
                assert!(seconds.is_none_or(|seconds| (1..=86_400).contains(&seconds)));
            }
            Err(error) => assert!(error.len() < 1_000 && !error.contains('\n'), "{error}"),
        }
    }
});
