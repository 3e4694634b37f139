//! Arbitrary bytes as a wp-config.php: lines are in bounds, and every unknown value has a reason.
#![no_main]

use std::collections::BTreeMap;

use closte_sync::wordpress::WpConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let environment = BTreeMap::from([("WORDPRESS_DB_NAME".to_owned(), "wordpress".to_owned())]);
    let Some(config) = WpConfig::decode(bytes, &environment) else { return };
    let lines = bytes.iter().filter(|byte| **byte == b'\n' || **byte == b'\r').count() + 1;
    assert!(config.known.values().all(|setting| (1..=lines).contains(&setting.line)));
    for unknown in &config.unknown {
        assert!((1..=lines).contains(&unknown.line) && !unknown.why.is_empty());
    }
});
