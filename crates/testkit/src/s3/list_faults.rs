//! Listings that go wrong: pages with wrong tokens and keys, and documents that are none.

use std::ops::Bound;

use sample::listing::{Entry, Page, Query};
use sample::{Error, hex};

use crate::s3::{Fault, ObjectSet};

/// More than the 16 MiB that a client should take for one page.
const HUGE_PAGE_BYTES: usize = 17 << 20;

/// Separates a token from the number that makes it differ from an equal one.
const TOKEN_NUMBER: char = '.';

/// The token as the honest listing gave it.
pub(crate) fn honest_token(token: &str) -> &str {
    token.split(TOKEN_NUMBER).next().unwrap_or(token)
}

/// A token for the place this query starts at.
fn token_of_start(query: &Query) -> String {
    match (&query.continuation_token, &query.start_after) {
        (Some(token), _) => honest_token(token).to_owned(),
        (None, Some(key)) => format!("behind-{}", hex::encode(key.as_bytes())),
        (None, None) => format!("at-{}", hex::encode(query.prefix.as_bytes())),
    }
}

/// A page of a listing in an order of its own. Its tokens are places in that order.
pub(crate) fn shuffled_page(query: &Query, objects: &dyn ObjectSet) -> Result<Page, Error> {
    let at = match query.continuation_token.as_deref() {
        None => 0,
        Some(token) => token.parse().map_err(|_| Error::InvalidArgument("continuation-token"))?,
    };
    let mut entries = Vec::new();
    let mut from = Bound::Included(query.prefix.clone());
    while let Some(entry) = objects.seek(from.as_ref().map(String::as_str)) {
        if !entry.key.starts_with(&query.prefix) {
            break;
        }
        from = Bound::Excluded(entry.key.clone());
        if query.start_after.as_ref().is_none_or(|after| entry.key > *after) {
            entries.push(entry);
        }
    }
    let lot = |key: &str| key.bytes().fold(0, |lot, byte| crate::mix(lot ^ u64::from(byte)));
    entries.sort_by_key(|entry| lot(&entry.key));
    let end = entries.len().min(at + query.max_keys);
    let truncated = end < entries.len();
    let next_token = truncated.then(|| end.to_string());
    let entries = entries.drain(at.min(end)..end).collect();
    Ok(Page { entries, truncated, next_token, ..Page::default() })
}

/// Bends the page of a listing.
pub(crate) fn bend_page(fault: &Fault, query: &Query, page: &mut Page) {
    match fault {
        Fault::ListRepeatsToken => {
            let first = || page.next_token.clone().unwrap_or_else(|| token_of_start(query));
            let token = query.continuation_token.clone().unwrap_or_else(first);
            (page.truncated, page.next_token) = (true, Some(token));
        }
        Fault::ListTruncatedWithoutToken => (page.truncated, page.next_token) = (true, None),
        Fault::ListEmptyPages => {
            let asked = query.continuation_token.as_deref().unwrap_or_default();
            let number = asked.split_once(TOKEN_NUMBER).and_then(|(_, text)| text.parse().ok());
            let number = number.unwrap_or(0_u64) + 1;
            let token = format!("{}{TOKEN_NUMBER}{number}", token_of_start(query));
            *page = Page { truncated: true, next_token: Some(token), ..Page::default() };
        }
        Fault::ListOutOfOrder => page.entries.reverse(),
        Fault::ListDuplicates => {
            let twice = |entry: &_| [Clone::clone(entry), Clone::clone(entry)];
            page.entries = page.entries.iter().flat_map(twice).collect();
        }
        Fault::ListTwins => {
            let twins = |entry: &Entry| {
                let size = entry.size + 1;
                [entry.clone(), Entry { size, etag: "\"twin\"".into(), ..entry.clone() }]
            };
            page.entries = page.entries.iter().flat_map(twins).collect();
        }
        Fault::ListStartsOver if !page.truncated => {
            let first = Query { continuation_token: None, start_after: None, ..query.clone() };
            (page.truncated, page.next_token) = (true, Some(token_of_start(&first)));
        }
        Fault::ListKeyOutsidePrefix => {
            if let Some(first) = page.entries.first_mut() {
                first.key = "!outside/of the prefix".into();
            }
        }
        Fault::ListSizeOff(by) => page
            .entries
            .iter_mut()
            .for_each(|entry| entry.size = entry.size.saturating_add_signed(*by)),
        _ => {}
    }
}

/// Bends the document of a listing.
pub(crate) fn bend_document(fault: &Fault, query: &Query, xml: String) -> Vec<u8> {
    match fault {
        Fault::ListNoEtags => without_etags(&xml).into_bytes(),
        Fault::ListGarbageXml => {
            let cut = xml.rfind("</").map_or(xml.len(), |last| last + "</".len());
            xml.as_bytes()[..cut].to_vec()
        }
        Fault::ListHugePage => {
            let padding = format!("<Padding>{}</Padding>", "x".repeat(HUGE_PAGE_BYTES));
            xml.replace("</ListBucketResult>", &(padding + "</ListBucketResult>")).into_bytes()
        }
        Fault::ListEntityBomb => entity_bomb(query).into_bytes(),
        Fault::ListInvalidUtf8Key => {
            let wrong: &[u8] = if query.url_encoding { b"%FF%FE" } else { b"\xff\xfe" };
            let start = xml.find("<Key>").map_or(xml.len(), |tag| tag + "<Key>".len());
            let (before, behind) = xml.as_bytes().split_at(start);
            [before, wrong, behind].concat()
        }
        _ => xml.into_bytes(),
    }
}

fn without_etags(xml: &str) -> String {
    let mut parts = xml.split("<ETag>");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept += part.split_once("</ETag>").map_or(part, |(_, behind)| behind);
    }
    kept
}

/// Ten entities, each ten times the one before.
fn entity_bomb(query: &Query) -> String {
    let entities: String = (1..=10)
        .map(|level| {
            let below = format!("&e{};", level - 1).repeat(10);
            format!("<!ENTITY e{level} \"{below}\">")
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY e0 \"0123456789\">{entities}]>\
         <ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>{}&e10;</Key>\
         <Size>1</Size><ETag>\"e\"</ETag><LastModified>2025-01-01T00:00:00.000Z</LastModified>\
         </Contents></ListBucketResult>",
        sample::xml::escape(&query.prefix)
    )
}
