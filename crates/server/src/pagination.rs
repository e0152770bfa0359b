//! Pages of a listing: `after` and `amount` in, `pagination` out.

use std::num::IntErrorKind;

use model::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use model::{Page, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{Error, Result};

/// Which page of a listing.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The `next_offset` of the page before.
    after: Option<String>,
    /// Rows wanted; more than 1000 are 1000.
    #[param(value_type = Option<u64>, minimum = 1, default = 100)]
    amount: Option<String>,
}

/// A page of a listing.
#[derive(Serialize, ToSchema)]
pub(crate) struct Paged<T> {
    /// The rows, in order.
    pub(crate) results: Vec<T>,
    pub(crate) pagination: Pagination,
}

/// Where the next page begins.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pagination {
    /// Whether there is a next page.
    pub(crate) has_more: bool,
    /// To be given as `after`; empty on the last page.
    pub(crate) next_offset: String,
    /// Rows of a page, as applied to this one.
    pub(crate) max_per_page: usize,
}

impl PageQuery {
    pub(crate) fn request(self) -> Result<PageRequest> {
        let amount = amount(self.amount.as_deref(), PAGE_ROWS_DEFAULT)?;
        Ok(PageRequest { after: given(self.after), amount })
    }
}

impl<T> Paged<T> {
    /// The page on the wire; `amount` is the page size that was applied.
    pub(crate) fn new<R>(page: Page<R>, amount: usize, row: impl FnMut(R) -> T) -> Self {
        let pagination = Pagination {
            has_more: page.next.is_some(),
            next_offset: page.next.unwrap_or_default(),
            max_per_page: amount,
        };
        Self { results: page.rows.into_iter().map(row).collect(), pagination }
    }
}

/// The page size that `text` asks for: at least 1, clamped to the most the server gives.
pub(crate) fn amount(text: Option<&str>, default: usize) -> Result<usize> {
    let Some(text) = text else { return Ok(default) };
    match text.parse::<usize>() {
        Ok(amount) if amount > 0 => Ok(amount.min(PAGE_ROWS_MAX)),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Ok(PAGE_ROWS_MAX),
        _ => Err(Error::invalid("amount: must be a whole number, at least 1")),
    }
}

/// An optional query value; an empty one counts as absent.
pub(crate) fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_clamped_or_refused() {
        let applied = |text| amount(text, PAGE_ROWS_DEFAULT).ok();
        assert_eq!(applied(None), Some(100));
        assert_eq!(applied(Some("1")), Some(1));
        assert_eq!(applied(Some("1000")), Some(1_000));
        assert_eq!(applied(Some("1001")), Some(1_000));
        assert_eq!(applied(Some("18446744073709551615")), Some(1_000));
        assert_eq!(applied(Some("18446744073709551616")), Some(1_000));
        for bad in ["", "0", "-1", "-18446744073709551616", "1.5", "x", " 5"] {
            assert_eq!(applied(Some(bad)), None, "{bad}");
        }
    }
}
