//! closte-sync: see the library's documentation for the tour.
fn main() {}
