//! Arbitrary text as a configuration file, and each of its lines as an environment variable and a flag: it
//! is read or refused, and no message contains a secret.
#![no_main]

use std::{collections::BTreeMap, fs};

use closte_sync::{app::Settings, settings::Layers};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "s3cret and no key";

fuzz_target!(|text: &str| {
    if text.contains("s3cret") {
        return;
    }
    let folder = std::env::temp_dir();
    let path = folder.join(format!("closte-sync-fuzz-{}.toml", std::process::id()));
    if fs::write(&path, text).is_err() {
        return;
    }
    let pairs = || text.lines().filter_map(|line| line.split_once('='));
    let trim = |(key, value): (&str, &str)| (key.trim().to_owned(), value.trim().to_owned());
    let mut environment: BTreeMap<String, String> = pairs()
        // Files of this machine must not affect the result.
        .filter(|(key, _)| !key.trim().ends_with("_FILE"))
        .map(trim)
        .map(|(key, value)| {
            (format!("CLOSTE_SYNC__{}", key.to_uppercase().replace('.', "__")), value)
        })
        .collect();
    environment.insert("CLOSTE_CLIENT_API_KEY".to_owned(), SECRET.to_owned());
    let file = Layers { config_file: Some(path), ..Layers::default() };
    let variables = Layers { environment, ..Layers::default() };
    let flags = Layers { overrides: pairs().map(trim).collect(), ..Layers::default() };
    for layers in [file, variables, flags] {
        if let Err(error) = Settings::load(&layers) {
            assert!(!error.problems.is_empty() && !error.to_string().contains("s3cret"), "{error}");
        }
    }
});
