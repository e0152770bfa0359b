//! ListObjectVersions: every version of every key, delete markers among them, the latest first.

use std::ops::Bound;

use sample::listing::PAGE_KEYS;
use sample::route::Target;
use sample::{Error, xml};
use time::OffsetDateTime;

use crate::s3::reply::Reply;
use crate::s3::{Fault, Settings, Shared, Stored, Version};

/// The parameters of a request.
#[derive(Clone)]
pub(crate) struct Query {
    pub(crate) prefix: String,
    /// Only what is behind this key, or behind this version of it.
    key_marker: Option<String>,
    version_marker: Option<String>,
    max_keys: usize,
    url_encoding: bool,
}

impl Query {
    pub(crate) fn parse(target: &Target) -> Result<Self, Error> {
        let owned = |name| {
            let value = target.parameter(name).filter(|value| !value.is_empty());
            value.map(str::to_owned)
        };
        let max_keys = match owned("max-keys") {
            None => PAGE_KEYS,
            Some(text) => text.parse().map_err(|_| Error::InvalidArgument("max-keys"))?,
        };
        let (key_marker, version_marker) = (owned("key-marker"), owned("version-id-marker"));
        if version_marker.is_some() && key_marker.is_none() {
            return Err(Error::InvalidArgument("version-id-marker"));
        }
        Ok(Self {
            prefix: owned("prefix").unwrap_or_default(),
            key_marker,
            version_marker,
            max_keys: max_keys.min(PAGE_KEYS),
            url_encoding: owned("encoding-type").as_deref() == Some("url"),
        })
    }
}

/// One version of a page.
#[derive(Clone)]
struct Row {
    key: String,
    latest: bool,
    version: Version,
}

/// The answer to GET and HEAD of a version that is not there.
pub(crate) fn no_such_version() -> Reply {
    let message = "the version does not exist";
    Reply::xml(404, xml::error_document("NoSuchVersion", message, "", "TESTKIT", ""))
}

/// A page of versions.
pub(crate) fn list(
    shared: &Shared,
    settings: &Settings,
    mut query: Query,
    fault: Option<&Fault>,
) -> Result<Reply, Error> {
    query.max_keys = query.max_keys.min(settings.page_keys);
    let (mut rows, truncated) = rows(shared, &query);
    let last = rows.last().map(|row| (row.key.clone(), row.version.id().to_owned()));
    let mut next = last.filter(|_| truncated);
    match fault {
        Some(Fault::ListRepeatsToken) => {
            let asked = query.key_marker.clone().zip(query.version_marker.clone());
            next = asked.or(next);
        }
        Some(Fault::ListTruncatedWithoutToken) => next = None,
        Some(Fault::ListOutOfOrder) => rows.reverse(),
        Some(Fault::ListDuplicates) => {
            rows = rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
        }
        Some(Fault::ListKeyOutsidePrefix) => {
            if let Some(first) = rows.first_mut() {
                first.key = "!outside/of the prefix".into();
            }
        }
        _ => {}
    }
    let truncated = next.is_some() || matches!(fault, Some(Fault::ListTruncatedWithoutToken));
    let document = document(settings, &query, &rows, truncated, next.as_ref());
    Ok(Reply::xml(200, document))
}

fn rows(shared: &Shared, query: &Query) -> (Vec<Row>, bool) {
    let mut rows = Vec::new();
    let mut from = match &query.key_marker {
        None => Bound::Included(query.prefix.clone()),
        Some(marker) if *marker < query.prefix => Bound::Included(query.prefix.clone()),
        Some(marker) if query.version_marker.is_some() => Bound::Included(marker.clone()),
        Some(marker) => Bound::Excluded(marker.clone()),
    };
    while let Some(key) = shared.objects.seek_version(from.as_ref().map(String::as_str)) {
        if !key.starts_with(&query.prefix) {
            break;
        }
        let versions = shared.objects.versions(&key);
        let marker =
            query.version_marker.as_ref().filter(|_| query.key_marker.as_ref() == Some(&key));
        let at = |marker: &String| versions.iter().position(|version| version.id() == marker);
        let skipped = marker.and_then(at).map_or(0, |at| at + 1);
        for (index, version) in versions.iter().enumerate().skip(skipped) {
            if rows.len() == query.max_keys {
                return (rows, true);
            }
            rows.push(Row { key: key.clone(), latest: index == 0, version: version.clone() });
        }
        from = Bound::Excluded(key);
    }
    (rows, false)
}

fn document(
    settings: &Settings,
    query: &Query,
    rows: &[Row],
    truncated: bool,
    next: Option<&(String, String)>,
) -> String {
    let shown = |key: &str| match query.url_encoding {
        true => xml::url_encode(key),
        false => xml::escape(key),
    };
    let mut document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>{}</Name><Prefix>{}</Prefix><MaxKeys>{}</MaxKeys><IsTruncated>{truncated}\
         </IsTruncated>",
        xml::escape(&settings.bucket),
        shown(&query.prefix),
        query.max_keys,
    );
    if query.url_encoding {
        document += "<EncodingType>url</EncodingType>";
    }
    if let Some((key, version)) = next {
        let (key, version) = (shown(key), xml::escape(version));
        document += &format!(
            "<NextKeyMarker>{key}</NextKeyMarker>\
             <NextVersionIdMarker>{version}</NextVersionIdMarker>"
        );
    }
    for Row { key, latest, version } in rows {
        let head = format!(
            "<Key>{}</Key><VersionId>{}</VersionId><IsLatest>{latest}</IsLatest>",
            shown(key),
            xml::escape(version.id())
        );
        document += &match &version.stored {
            Some(stored) => format!("<Version>{head}{}</Version>", details(settings, stored)),
            None => format!("<DeleteMarker>{head}{}</DeleteMarker>", modified(MARKERS_MADE)),
        };
    }
    document + "</ListVersionsResult>"
}

/// When every delete marker was made.
const MARKERS_MADE: OffsetDateTime = time::macros::datetime!(2025-01-02 00:00 UTC);

fn details(settings: &Settings, stored: &Stored) -> String {
    let etag = xml::escape(&settings.shown_etag(&stored.entry.etag));
    let modified = modified(stored.entry.last_modified);
    format!("{modified}<ETag>{etag}</ETag><Size>{}</Size>", stored.entry.size)
}

fn modified(moment: OffsetDateTime) -> String {
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
    );
    let text = moment.to_utc().format(format).expect("the format needs only what every date has");
    format!("<LastModified>{text}</LastModified>")
}
