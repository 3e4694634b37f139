use super::{
    error::CommandError,
    exit,
    output::{BAD, GOOD, paint, print, print_json, under},
};
use crate::app::{AppError, Settings};

pub(super) async fn execute(
    settings: &Settings,
    target: Option<&str>,
    as_json: bool,
) -> Result<u8, CommandError> {
    let config = &settings.notify;
    if let Some(name) = target
        && !config.targets.iter().any(|target| target.name == name)
    {
        return Err(CommandError::NoTarget(name.to_owned()));
    }
    if config.targets.is_empty() {
        return Err(CommandError::NoTargets);
    }
    let trials = config.send_test(target).await.map_err(AppError::from)?;
    if as_json {
        print_json(&trials)?;
    } else {
        for trial in &trials {
            let (style, mark) = if trial.ok { (GOOD, "ok") } else { (BAD, "FAILED") };
            let heading = format!("{mark:<7} {} ({}) ", trial.target, trial.kind);
            let line = under(&heading, &trial.found);
            print(&line.replacen(mark, &paint(style, mark), 1))?;
        }
    }
    let all_accepted = trials.iter().all(|trial| trial.ok);
    Ok(if all_accepted { exit::OK } else { exit::ERROR })
}
