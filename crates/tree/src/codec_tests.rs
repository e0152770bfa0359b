//! Decoding of bytes that are not what was written: any bytes, and valid pages that were changed.

use bytes::Bytes;
use model::{
    ConnectorId, Content, Entry, Extent, Hash, JobId, ObjectPath, Piece, SegmentId, SourceMetadata,
    Timestamp, WriterId,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::sync::Arc;

use crate::hashing::ORIGINS_MAX;
use crate::leaf::{Leaf, LeafWriter};
use crate::node::{Child, Node, NodeWriter};
use crate::page::Page;
use crate::run::{self, RunReader};
use crate::{Error, extent_list};

prop_compose! {
    fn extent()(
        writer: u64,
        number: u32,
        offset: u32,
        length in 1..=u32::MAX,
    ) -> Extent {
        Extent { segment: SegmentId { writer: WriterId(writer), number }, offset, length }
    }
}

prop_compose! {
    fn piece()(extent in extent(), hash in any::<[u8; 32]>()) -> Piece {
        Piece { extent, hash: Hash(hash) }
    }
}

prop_compose! {
    fn source()(
        connector in option::of(any::<u128>()),
        kind in prop_oneof![Just("s3"), Just("repository")],
        path in "(s3://[ab]/)?[a-c/é]{0,8}",
        version in option::of("[0-9]{0,4}"),
        etag in option::of("\"[0-9a-f]{0,8}\""),
        time: i64,
        job in 0..3u128,
    ) -> SourceMetadata {
        SourceMetadata {
            connector_id: connector.map(|id| ConnectorId(uuid::Uuid::from_u128(id))),
            connector_type: kind.into(),
            source_path: path.into(),
            version_id: version.map(Into::into),
            source_etag: etag.map(Into::into),
            import_time: Timestamp(time),
            import_job_id: JobId(uuid::Uuid::from_u128(job)),
            origin: None,
        }
    }
}

/// A provenance with its origins, the innermost first.
fn nest(chain: Vec<SourceMetadata>) -> Option<Arc<SourceMetadata>> {
    chain
        .into_iter()
        .fold(None, |origin, source| Some(Arc::new(SourceMetadata { origin, ..source })))
}

fn content(hash: Hash) -> impl Strategy<Value = Content> {
    prop_oneof![
        vec(piece(), 0..=4).prop_map(Content::Pieces),
        extent().prop_map(move |extent| Content::Pieces(vec![Piece { extent, hash }])),
        extent().prop_map(Content::List),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let hash = any::<[u8; 32]>().prop_map(Hash);
    (hash, any::<u64>(), "[a-c/]{0,3}", any::<i64>()).prop_flat_map(
        |(hash, size, content_type, time)| {
            (
                btree_map("[a-zé]{0,4}", "[ -~]{0,6}", 0..3),
                vec(source(), 0..3).prop_map(nest),
                content(hash),
            )
                .prop_map(move |(metadata, source, content)| Entry {
                    size,
                    hash,
                    content_type: content_type.as_str().into(),
                    last_modified: Timestamp(time),
                    metadata,
                    source,
                    content,
                })
        },
    )
}

fn entries() -> impl Strategy<Value = Vec<(ObjectPath, Entry)>> {
    let path = "[a-c/é]{1,8}".prop_map(|path| ObjectPath::new(&path).expect("a path"));
    btree_map(path, entry(), 1..12).prop_map(|map| map.into_iter().collect())
}

fn leaf_page(entries: &[(ObjectPath, Entry)]) -> Vec<u8> {
    let mut writer = LeafWriter::default();
    for (path, entry) in entries {
        writer.push(path, entry).expect("an entry");
    }
    writer.finish().page
}

fn node_page(children: &[(String, Extent, u64)]) -> Vec<u8> {
    let mut writer = NodeWriter::new(3);
    for (key, page, entries) in children {
        let (key, hash) = (key.clone().into_bytes(), Hash::of(key.as_bytes()));
        writer.push(Child { key, page: *page, hash, entries: *entries, bytes: !entries });
    }
    writer.finish().page
}

/// Reads everything there is to read; what it gives does not matter.
fn read_all(bytes: Vec<u8>) {
    let bytes = Bytes::from(bytes);
    let _ = extent_list::decode(&bytes);
    if let Ok(reader) = RunReader::new(bytes.clone()) {
        let _ = reader.count();
    }
    match Page::decode(bytes) {
        Ok(Page::Leaf(leaf)) => {
            for index in 0..leaf.keys().len() {
                let _ = (leaf.pair(index), leaf.same(index, &leaf, 0));
            }
        }
        Ok(Page::Node(node)) => {
            let _ = (node.content_hash(), node.child(node.keys().len() - 1));
        }
        Err(_) => {}
    }
}

/// Changes to bytes: replace, insert, remove, cut.
fn mutate(mut bytes: Vec<u8>, changes: &[(u8, prop::sample::Index, u8)]) -> Vec<u8> {
    for (kind, at, value) in changes {
        let at = if bytes.is_empty() { continue } else { at.index(bytes.len()) };
        match kind % 4 {
            0 => bytes[at] = *value,
            1 => bytes.insert(at, *value),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

proptest! {
    #[test]
    fn a_leaf_gives_back_what_was_written(entries in entries()) {
        let page = leaf_page(&entries);
        let leaf = Leaf::decode(page.clone().into()).expect("a valid page");
        let read: Vec<_> = (0..leaf.keys().len()).map(|i| leaf.pair(i).expect("valid")).collect();
        prop_assert_eq!(&read, &entries);
        for (index, (path, _)) in entries.iter().enumerate() {
            prop_assert_eq!(leaf.keys().search(path.as_bytes()), Ok(index));
        }
        for length in (0..page.len()).step_by(5) {
            prop_assert!(Page::decode(page[..length].to_vec().into()).is_err());
        }
        let longer = [&page[..], &[0]].concat();
        prop_assert!(Page::decode(longer.into()).is_err());
    }

    #[test]
    fn a_run_gives_back_what_was_written(entries in entries()) {
        let run = run::encode(&entries).expect("entries in order");
        let reader = RunReader::new(run.clone().into()).expect("a run");
        let read: Result<Vec<_>, Error> = reader.collect();
        prop_assert_eq!(read.expect("a run"), entries);
        for length in (0..run.len()).step_by(7) {
            let cut = RunReader::new(run[..length].to_vec().into());
            prop_assert!(cut.and_then(|cut| cut.collect::<Result<Vec<_>, _>>()).is_err());
        }
    }

    #[test]
    fn an_extent_list_gives_back_what_was_written(pieces in vec(piece(), 1..20)) {
        let list = extent_list::encode(&pieces).expect("few pieces");
        prop_assert_eq!(extent_list::decode(&list).expect("a list"), pieces);
        prop_assert!(extent_list::decode(&list[..list.len() - 1]).is_err());
        prop_assert!(extent_list::decode(&[&list[..], &[0]].concat()).is_err());
    }

    #[test]
    fn any_bytes_are_an_error_or_a_value(kind in 0..5usize, bytes in vec(any::<u8>(), 0..200)) {
        let magic = [&b""[..], b"TPL\x01", b"TPN\x01", b"TPR\x01", b"TPX\x01"][kind];
        read_all([magic, &bytes].concat());
    }

    #[test]
    fn a_changed_page_is_an_error_or_a_value(
        entries in entries(),
        children in btree_map("[a-cé]{1,6}", (extent(), any::<u64>()), 1..20),
        changes in vec(any::<(u8, prop::sample::Index, u8)>(), 1..4),
    ) {
        let children: Vec<_> = children.into_iter().map(|(k, (e, n))| (k, e, n)).collect();
        let node = node_page(&children);
        prop_assert!(Node::decode(&node.clone().into()).is_ok());
        let run = run::encode(&entries).expect("entries in order");
        for valid in [node, leaf_page(&entries), run] {
            read_all(mutate(valid, &changes));
        }
    }
}

fn plain() -> Entry {
    Entry {
        size: 1,
        hash: Hash::of(b"x"),
        content_type: "text/plain".into(),
        last_modified: Timestamp(7),
        metadata: Default::default(),
        source: None,
        content: Content::Pieces(Vec::new()),
    }
}

#[test]
fn what_exceeds_a_limit_cannot_be_written() {
    let path = ObjectPath::new("a").expect("a path");
    let push = |entry: &Entry| LeafWriter::default().push(&path, entry);
    let refused = |entry: &Entry| matches!(push(entry), Err(Error::Unstorable { .. }));
    assert!(push(&plain()).is_ok());

    let pairs = |count: u32, value: &str| {
        let metadata = (0..count).map(|n| (n.to_string(), value.to_owned())).collect();
        Entry { metadata, ..plain() }
    };
    assert!(push(&pairs(256, "")).is_ok());
    assert!(refused(&pairs(257, "")));
    assert!(push(&pairs(2, &"x".repeat(15_000))).is_ok());
    assert!(refused(&pairs(2, &"x".repeat(16_000))));

    let extent =
        Extent { segment: SegmentId { writer: WriterId(1), number: 0 }, offset: 44, length: 1 };
    let pieces = vec![Piece { extent, hash: Hash::of(b"") }; 5];
    assert!(refused(&Entry { content: Content::Pieces(pieces), ..plain() }));

    let source = SourceMetadata {
        connector_id: None,
        connector_type: "s3".into(),
        source_path: "s3://b/a".into(),
        version_id: None,
        source_etag: None,
        import_time: Timestamp(0),
        import_job_id: JobId(uuid::Uuid::nil()),
        origin: None,
    };
    let nested = |count| Entry { source: nest(vec![source.clone(); count]), ..plain() };
    let deepest = nested(ORIGINS_MAX + 1);
    assert!(push(&deepest).is_ok());
    assert!(refused(&nested(ORIGINS_MAX + 2)));
    let leaf = Leaf::decode(leaf_page(&[(path.clone(), deepest.clone())]).into()).expect("valid");
    assert_eq!(leaf.entry(0), Ok(deepest));
}

#[test]
fn a_run_is_checked_for_order_and_count() {
    let pair = |path: &str| (ObjectPath::new(path).expect("a path"), plain());
    assert!(matches!(run::encode(&[]), Err(Error::Misuse { .. })));
    for wrong in [["b", "a"], ["a", "a"]] {
        let wrong = run::encode(&wrong.map(pair));
        assert!(matches!(wrong, Err(Error::OutOfOrder { .. })));
    }
    let chunk = leaf_page(&[pair("a"), pair("b")]);
    let run = |count: u8, chunks: usize| {
        let mut bytes = vec![b'T', b'P', b'R', 1, count];
        for _ in 0..chunks {
            bytes.extend_from_slice(&(chunk.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&chunk);
        }
        RunReader::new(bytes.into()).and_then(|run| run.collect::<Result<Vec<_>, _>>())
    };
    assert_eq!(run(2, 1).expect("a run").len(), 2);
    assert!(run(0, 0).is_err());
    assert!(run(1, 1).is_err());
    assert!(run(3, 1).is_err());
    assert!(run(4, 2).is_err(), "the same paths again");
}
