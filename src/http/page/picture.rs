//! The history of a domain as a drawing (SVG).

use maud::{Markup, html};

use crate::{
    overview::history::{History, Mood, Stretch},
    span::{span_between, whole_days},
};

/// In the drawing's own units; it is as wide as there is room.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 20.0;

pub(super) fn picture(history: &History) -> Markup {
    let size = format!("0 0 {WIDTH} {HEIGHT}");
    let lasting = match whole_days(history.length()).as_str() {
        "1 day" => "day".to_owned(),
        days => days.to_owned(),
    };
    html! {
        section.card aria-labelledby="history" {
            h2 id="history" { "The last " (lasting) }
            ul.lanes {
                @for lane in &history.lanes {
                    li {
                        span { (lane.title) }
                        svg viewBox=(size) preserveAspectRatio="none" role="img" aria-label=(in_words(&lane.stretches)) {
                            @for stretch in &lane.stretches { (bar(history, stretch)) }
                        }
                    }
                }
            }
            p.legend.faint aria-hidden="true" {
                span.good { "right" } " " span.fair { "unsteady or expiring" } " "
                span.bad { "wrong" } " " span.unknown { "not seen" }
            }
        }
    }
}

/// What is worse is taller, so that colours are not needed.
fn bar(history: &History, stretch: &Stretch) -> Markup {
    let begins = WIDTH * history.place(stretch.from);
    let ends = WIDTH * history.place(stretch.to);
    let height = match stretch.mood {
        Mood::Bad => HEIGHT,
        Mood::Fair => HEIGHT * 0.7,
        Mood::Good => HEIGHT * 0.4,
        Mood::Unknown => 2.0,
    };
    // A moment is still seen.
    let width = (ends - begins).clamp(3.0, WIDTH);
    let begins = begins.min(WIDTH - width);
    html! {
        rect class=(stretch.mood.as_str()) x=(format!("{begins:.1}")) y=(format!("{:.1}", HEIGHT - height))
            width=(format!("{width:.1}")) height=(format!("{height:.1}")) {
            title { (said(stretch)) }
        }
    }
}

fn said(stretch: &Stretch) -> String {
    let lasting = span_between(stretch.from, stretch.to);
    let what = match stretch.mood {
        Mood::Good => "right",
        Mood::Fair => "unsteady or expiring",
        Mood::Bad => "wrong",
        Mood::Unknown => "not seen",
    };
    format!("{what} for {lasting}, until {:.0}", stretch.to)
}

/// The last ones: all of them are in the list of what happened.
fn in_words(stretches: &[Stretch]) -> String {
    let last = stretches.get(stretches.len().saturating_sub(5)..).unwrap_or_default();
    last.iter().map(said).collect::<Vec<_>>().join("; ")
}
