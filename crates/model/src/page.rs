//! Pages of a listing over the API: keyset, bounded.

/// What a caller asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageRequest {
    /// Exclusive cursor: the `next` of the page before.
    pub after: Option<String>,
    /// Rows wanted, 1 to [`crate::limits::PAGE_ROWS_MAX`].
    pub amount: usize,
}

/// One page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows, in order.
    pub rows: Vec<T>,
    /// Cursor of the next page; `None` when this is the last. Never set on an empty page.
    pub next: Option<String>,
}
