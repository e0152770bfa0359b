//! Cuts listings into pages.

use model::Page;

/// A page of at most `amount` of `rows`; one row more says that there is a next page.
pub(super) fn cut<T>(mut rows: Vec<T>, amount: usize, cursor: impl Fn(&T) -> String) -> Page<T> {
    let has_more = rows.len() > amount;
    rows.truncate(amount);
    let next = rows.last().filter(|_| has_more).map(cursor);
    Page { rows, next }
}
