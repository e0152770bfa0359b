//! Patience with a catalog that another process holds.
//!
//! A statement waits for some seconds, then the operation answers that the catalog is busy and has
//! done nothing: so it may be repeated, even one that must be done only once. An import that has
//! come far is not given up for somebody's long transaction.

use std::time::Duration;

use super::end::End;
use super::stop::Reason;

/// Between two tries, each of which waits for the catalog by itself.
const PAUSE: Duration = Duration::from_millis(200);

/// Does `operation`, again and again while another process holds the catalog, until there is
/// `enough` of it. It is tried once at least.
pub(super) async fn patiently<T, E, F>(
    enough: impl Future<Output = Reason>,
    mut operation: impl FnMut() -> F,
) -> Result<T, End>
where
    E: Into<End>,
    F: Future<Output = Result<T, E>>,
{
    tokio::pin!(enough);
    loop {
        let end = match operation().await {
            Ok(done) => return Ok(done),
            Err(error) => error.into(),
        };
        if !end.is_busy() {
            return Err(end);
        }
        tracing::warn!("another process holds the catalog; an import waits for it");
        tokio::select! {
            biased;
            reason = &mut enough => return Err(End::Stopped(reason)),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};

    use super::*;

    fn busy() -> catalog::Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)
            .into()
    }

    #[tokio::test]
    async fn only_what_was_not_done_is_done_again() {
        let tries = Cell::new(0);
        let third_time = || {
            tries.set(tries.get() + 1);
            ready(if tries.get() < 3 { Err(busy()) } else { Ok(tries.get()) })
        };
        assert_eq!(patiently(pending(), third_time).await.expect("it is done"), 3);
        let aborted = || {
            tries.set(tries.get() + 1);
            ready(Err::<(), _>(catalog::Error::Aborted))
        };
        let refused = patiently(pending(), aborted).await;
        assert!(matches!(refused, Err(End::Broken(_))) && tries.get() == 4, "{refused:?}");
    }

    #[tokio::test]
    async fn who_is_told_to_stop_has_tried_once() {
        let tries = Cell::new(0);
        let never = || {
            tries.set(tries.get() + 1);
            ready(Err::<(), _>(busy()))
        };
        let given_up = patiently(ready(Reason::Fenced), never).await;
        assert!(matches!(given_up, Err(End::Stopped(Reason::Fenced))), "{given_up:?}");
        assert_eq!(tries.get(), 1);
    }
}
