//! Which of the states that something went through a crash may leave.

use std::ops::RangeInclusive;

/// From a position on: what was attempted had returned, its state, and whether that was durable.
pub(crate) type Returned = (usize, usize, bool);

/// The states that a crash after `position` operations may leave, of those that were `begun` at these positions: from the
/// last one that had returned on, where a return `counts` by whether it was durable.
pub(crate) fn possible(
    returned: &[Returned],
    begun: impl Iterator<Item = usize>,
    position: usize,
    counts: impl Fn(bool) -> bool,
) -> RangeInclusive<usize> {
    let kept = returned.iter().filter(|(from, _, durable)| *from <= position && counts(*durable));
    let first = kept.map(|(_, state, _)| *state).max().unwrap_or(0);
    let last = begun.enumerate().filter(|(_, begun)| *begun < position).last();
    first..=last.map_or(0, |(state, _)| state).max(first)
}

/// What comes of the newest of `states` that is not refused by `compare`, which is told their places.
///
/// # Errors
/// What is wrong with the newest.
pub(crate) fn newest<S, F>(
    states: &[S],
    compare: impl Fn(usize, &S) -> Result<F, String>,
) -> Result<F, String> {
    let mut nearest = None;
    for (at, state) in states.iter().enumerate().rev() {
        match compare(at, state) {
            Ok(found) => return Ok(found),
            Err(difference) => {
                nearest.get_or_insert(difference);
            }
        }
    }
    let nearest = nearest.unwrap_or_default();
    Err(match states.len() {
        1 => nearest,
        states => format!("none of {states} states; not the newest: {nearest}"),
    })
}
