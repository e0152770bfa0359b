//! An entry in a leaf page: its body, and the tables of what the entries of a page share.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::limits::{METADATA_PAIRS_MAX, PAGE_ENTRIES_MAX, PIECES_INLINE_MAX};
use model::{ConnectorId, Content, Entry, JobId, Piece, SourceMetadata, Timestamp};

use crate::hashing::ORIGINS_MAX;
use crate::wire::{Corrupt, Input, Read, put_extent, put_text, put_time, put_varint};

/// How many of the last items of a table a writer looks through before it adds one.
const SHARED_WINDOW: usize = 16;

/// One piece whose hash is that of the object.
const CONTENT_WHOLE: u8 = PIECES_INLINE_MAX as u8 + 1;
/// An extent list.
const CONTENT_LIST: u8 = PIECES_INLINE_MAX as u8 + 2;

const SOURCE: u8 = 1;
const SOURCE_VERSION: u8 = 1 << 1;
const SOURCE_ETAG: u8 = 1 << 2;
const SOURCE_ORIGIN: u8 = 1 << 3;

/// What the entries of one import share of their provenance.
#[derive(PartialEq, Eq)]
struct Provenance {
    connector: Option<ConnectorId>,
    kind: Arc<str>,
    prefix: Box<str>,
    time: Timestamp,
    job: JobId,
}

/// The tables of a leaf page.
#[derive(Default)]
pub(crate) struct Tables {
    content_types: Vec<Arc<str>>,
    provenances: Vec<Provenance>,
}

/// Index of the item that `is` it among the last of `table`, which gets `make()` if there is none.
fn share<T>(table: &mut Vec<T>, is: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> u64 {
    let recent = table.len().saturating_sub(SHARED_WINDOW);
    let found = table[recent..].iter().rposition(is);
    let index = found.map_or(table.len(), |position| recent + position);
    if index == table.len() {
        table.push(make());
    }
    index as u64
}

impl Tables {
    pub(crate) fn clear(&mut self) {
        self.content_types.clear();
        self.provenances.clear();
    }

    /// Bytes it takes in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        self.content_types.len() * 64 + self.provenances.len() * 192
    }

    /// Whether an index into one of the two means the same in the other.
    pub(crate) fn agree(&self, other: &Self) -> bool {
        fn prefix<T: PartialEq>(left: &[T], right: &[T]) -> bool {
            let both = left.len().min(right.len());
            left[..both] == right[..both]
        }
        prefix(&self.content_types, &other.content_types)
            && prefix(&self.provenances, &other.provenances)
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.content_types.len() as u64);
        for content_type in &self.content_types {
            put_text(out, content_type);
        }
        put_varint(out, self.provenances.len() as u64);
        for provenance in &self.provenances {
            out.push(provenance.connector.is_some().into());
            if let Some(connector) = provenance.connector {
                out.extend_from_slice(connector.0.as_bytes());
            }
            put_text(out, &provenance.kind);
            put_text(out, &provenance.prefix);
            put_time(out, provenance.time);
            out.extend_from_slice(provenance.job.0.as_bytes());
        }
    }

    pub(crate) fn read(input: &mut Input<'_>) -> Read<Self> {
        let mut tables = Self::default();
        for _ in 0..input.count(PAGE_ENTRIES_MAX)? {
            tables.content_types.push(input.text()?.into());
        }
        for _ in 0..input.count(PAGE_ENTRIES_MAX * (ORIGINS_MAX + 1))? {
            let connector = match input.byte()? {
                0 => None,
                1 => Some(ConnectorId(input.uuid()?)),
                _ => return Err(Corrupt("wrong provenance")),
            };
            tables.provenances.push(Provenance {
                connector,
                kind: tables.kind(input.text()?),
                prefix: input.text()?.into(),
                time: input.time()?,
                job: JobId(input.uuid()?),
            });
        }
        Ok(tables)
    }

    /// The connector type as a shared text: nearly always that of the provenance before.
    fn kind(&self, kind: &str) -> Arc<str> {
        match self.provenances.last() {
            Some(before) if &*before.kind == kind => before.kind.clone(),
            _ => kind.into(),
        }
    }

    /// Appends what docs/formats.md calls the entry but its path; its limits have been checked.
    pub(crate) fn put_body(&mut self, out: &mut Vec<u8>, path: &str, entry: &Entry) {
        put_varint(out, entry.size);
        out.extend_from_slice(&entry.hash.0);
        let content_type = &entry.content_type;
        let index = share(&mut self.content_types, |t| t == content_type, || content_type.clone());
        put_varint(out, index);
        put_time(out, entry.last_modified);
        put_varint(out, entry.metadata.len() as u64);
        for (key, value) in &entry.metadata {
            put_text(out, key);
            put_text(out, value);
        }
        put_content(out, entry);
        match &entry.source {
            Some(source) => self.put_source(out, path, source),
            None => out.push(0),
        }
    }

    fn put_source(&mut self, out: &mut Vec<u8>, path: &str, source: &SourceMetadata) {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        out.push(
            SOURCE
                | flag(source.version_id.is_some(), SOURCE_VERSION)
                | flag(source.source_etag.is_some(), SOURCE_ETAG)
                | flag(source.origin.is_some(), SOURCE_ORIGIN),
        );
        let (prefix, middle, tail) = split(&source.source_path, path);
        let is = |p: &Provenance| {
            p.job == source.import_job_id
                && p.connector == source.connector_id
                && p.time == source.import_time
                && *p.prefix == *prefix
                && p.kind == source.connector_type
        };
        let make = || Provenance {
            connector: source.connector_id,
            kind: source.connector_type.clone(),
            prefix: prefix.into(),
            time: source.import_time,
            job: source.import_job_id,
        };
        put_varint(out, share(&mut self.provenances, is, make));
        put_text(out, middle);
        put_varint(out, tail as u64);
        for text in [&source.version_id, &source.source_etag].into_iter().flatten() {
            put_text(out, text);
        }
        if let Some(origin) = &source.origin {
            self.put_source(out, path, origin);
        }
    }

    /// Reads a whole body of the entry at `path`.
    pub(crate) fn read_body(&self, body: &[u8], path: &str) -> Read<Entry> {
        let mut input = Input::new(body);
        let (size, hash) = (input.varint()?, input.hash()?);
        let index = input.count(PAGE_ENTRIES_MAX)?;
        let content_type = self.content_types.get(index).ok_or(Corrupt("wrong content type"))?;
        let entry = Entry {
            size,
            hash,
            content_type: content_type.clone(),
            last_modified: input.time()?,
            metadata: read_metadata(&mut input)?,
            content: read_content(&mut input, hash)?,
            source: match input.byte()? {
                0 => None,
                flags => Some(Arc::new(self.read_source(&mut input, path, flags, 0)?)),
            },
        };
        input.end().map(|()| entry)
    }

    fn read_source(
        &self,
        input: &mut Input<'_>,
        path: &str,
        flags: u8,
        depth: usize,
    ) -> Read<SourceMetadata> {
        let all = SOURCE | SOURCE_VERSION | SOURCE_ETAG | SOURCE_ORIGIN;
        if flags & SOURCE == 0 || flags & !all != 0 || depth > ORIGINS_MAX {
            return Err(Corrupt("wrong source"));
        }
        let index = input.count(self.provenances.len())?;
        let shared = self.provenances.get(index).ok_or(Corrupt("wrong provenance"))?;
        let middle = input.text()?;
        let start = path.len() - input.count(path.len())?;
        let tail = path.get(start..).ok_or(Corrupt("wrong tail of a source path"))?;
        let mut text = |flag: u8| -> Read<Option<Arc<str>>> {
            (flags & flag != 0).then(|| input.text().map(Arc::from)).transpose()
        };
        Ok(SourceMetadata {
            connector_id: shared.connector,
            connector_type: shared.kind.clone(),
            source_path: [&shared.prefix, middle, tail].concat().into(),
            version_id: text(SOURCE_VERSION)?,
            source_etag: text(SOURCE_ETAG)?,
            import_time: shared.time,
            import_job_id: shared.job,
            origin: match flags & SOURCE_ORIGIN {
                0 => None,
                _ => {
                    let flags = input.byte()?;
                    Some(Arc::new(self.read_source(input, path, flags, depth + 1)?))
                }
            },
        })
    }
}

/// Cuts a source path into a prefix that ends in `/`, which entries of one folder share, a middle,
/// and a tail: the number of bytes that are the end of `path` as well. In an import the middle is
/// empty.
fn split<'a>(source_path: &'a str, path: &str) -> (&'a str, &'a str, usize) {
    let bytes = source_path.as_bytes().iter().rev().zip(path.as_bytes().iter().rev());
    let mut tail = bytes.take_while(|(a, b)| a == b).count();
    while !source_path.is_char_boundary(source_path.len() - tail) {
        tail -= 1;
    }
    let head = source_path.len() - tail;
    if !source_path[..head].ends_with('/')
        && let Some(slash) = source_path[head..].find('/')
    {
        tail -= slash + 1;
    }
    let head = &source_path[..source_path.len() - tail];
    let (prefix, middle) = head.split_at(head.rfind('/').map_or(0, |slash| slash + 1));
    (prefix, middle, tail)
}

fn put_content(out: &mut Vec<u8>, entry: &Entry) {
    match &entry.content {
        Content::Pieces(pieces) => match pieces[..] {
            [piece] if piece.hash == entry.hash => {
                out.push(CONTENT_WHOLE);
                put_extent(out, piece.extent);
            }
            _ => {
                out.push(pieces.len() as u8);
                for piece in pieces {
                    put_extent(out, piece.extent);
                    out.extend_from_slice(&piece.hash.0);
                }
            }
        },
        Content::List(extent) => {
            out.push(CONTENT_LIST);
            put_extent(out, *extent);
        }
    }
}

fn read_content(input: &mut Input<'_>, object: model::Hash) -> Read<Content> {
    match input.byte()? {
        CONTENT_WHOLE => Ok(Content::Pieces(vec![Piece { extent: input.extent()?, hash: object }])),
        CONTENT_LIST => Ok(Content::List(input.extent()?)),
        count if usize::from(count) <= PIECES_INLINE_MAX => {
            let mut piece = || Ok(Piece { extent: input.extent()?, hash: input.hash()? });
            (0..count).map(|_| piece()).collect::<Read<_>>().map(Content::Pieces)
        }
        _ => Err(Corrupt("wrong content")),
    }
}

fn read_metadata(input: &mut Input<'_>) -> Read<BTreeMap<String, String>> {
    let mut metadata = BTreeMap::new();
    for _ in 0..input.count(METADATA_PAIRS_MAX)? {
        let key = input.text()?;
        if metadata.last_key_value().is_some_and(|(last, _): (&String, _)| key <= last.as_str()) {
            return Err(Corrupt("metadata out of order"));
        }
        metadata.insert(key.to_owned(), input.text()?.to_owned());
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_source_path_is_cut_where_the_entries_of_a_folder_agree() {
        let cuts = [
            ("s3://b/data/x/y.csv", "imported/data/x/y.csv", ("s3://b/", "", 12)),
            ("s3://b/data/x.csv", "x.csv", ("s3://b/data/", "", 5)),
            ("s3://b/data/a_17.csv", "b_17.csv", ("s3://b/data/", "a", 7)),
            ("s3://b/k/", "k/", ("s3://b/", "", 2)),
            ("s3://b/k", "other", ("s3://b/", "k", 0)),
            ("s3://b/è", "é", ("s3://b/", "è", 0)),
            ("abc", "abc", ("", "", 3)),
            ("", "abc", ("", "", 0)),
            ("s3://b/\u{e9}", "x/\u{129}", ("s3://b/", "\u{e9}", 0)),
        ];
        for (source, path, cut) in cuts {
            assert_eq!(split(source, path), cut, "{source} {path}");
        }
    }
}
