//! The little XML that S3 answers in: elements and text. No DTD, no entities but the predefined
//! ones and numeric references, no attributes, no depth to speak of.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Elements within elements.
const DEPTH_MAX: usize = 8;

/// The elements that mean something here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tag {
    Code,
    Contents,
    DeleteMarker,
    EncodingType,
    Error,
    Etag,
    IsLatest,
    IsTruncated,
    Key,
    LastModified,
    ListBucketResult,
    ListVersionsResult,
    NextContinuationToken,
    NextKeyMarker,
    NextVersionIdMarker,
    Region,
    Size,
    Version,
    VersionId,
    Other,
}

impl Tag {
    fn of(element: &BytesStart<'_>) -> Self {
        match element.local_name().into_inner() {
            "Code" => Self::Code,
            "Contents" => Self::Contents,
            "DeleteMarker" => Self::DeleteMarker,
            "EncodingType" => Self::EncodingType,
            "Error" => Self::Error,
            "ETag" => Self::Etag,
            "IsLatest" => Self::IsLatest,
            "IsTruncated" => Self::IsTruncated,
            "Key" => Self::Key,
            "LastModified" => Self::LastModified,
            "ListBucketResult" => Self::ListBucketResult,
            "ListVersionsResult" => Self::ListVersionsResult,
            "NextContinuationToken" => Self::NextContinuationToken,
            "NextKeyMarker" => Self::NextKeyMarker,
            "NextVersionIdMarker" => Self::NextVersionIdMarker,
            "Region" => Self::Region,
            "Size" => Self::Size,
            "Version" => Self::Version,
            "VersionId" => Self::VersionId,
            _ => Self::Other,
        }
    }
}

/// Calls `visit` at the end of every element, with the way to it from the root and its own text.
/// The error says what is wrong with the document.
pub(crate) fn walk<'a>(
    document: &'a [u8],
    mut visit: impl FnMut(&[Tag], &str) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    let document = std::str::from_utf8(document).map_err(|_| "it is not UTF-8")?;
    let mut reader = Reader::from_str(document.trim_start_matches('\u{feff}'));
    let mut way = Vec::with_capacity(DEPTH_MAX);
    let mut text = String::new();
    let mut ended = false;
    loop {
        let event: Event<'a> = reader.read_event().map_err(|_| "it is not XML")?;
        match event {
            Event::Start(_) | Event::Empty(_) if ended => return Err("it is not XML"),
            Event::Start(_) | Event::Empty(_) if way.len() == DEPTH_MAX => {
                return Err("its XML is nested too deeply");
            }
            Event::Start(element) => {
                way.push(Tag::of(&element));
                text.clear();
            }
            Event::Empty(element) => {
                way.push(Tag::of(&element));
                visit(&way, "")?;
                way.pop();
                text.clear();
                ended = way.is_empty();
            }
            Event::End(_) => {
                visit(&way, &text)?;
                way.pop();
                text.clear();
                ended = way.is_empty();
            }
            Event::Text(part) if way.is_empty() => {
                if !part.into_inner().trim().is_empty() {
                    return Err("it is not XML");
                }
            }
            Event::Text(part) => text.push_str(&part.into_inner()),
            Event::CData(part) => text.push_str(&part.into_inner()),
            Event::GeneralRef(reference) => push_reference(&mut text, &reference)?,
            Event::DocType(_) => return Err("its XML has a DTD"),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof if ended => return Ok(()),
            Event::Eof => return Err("it ends too early"),
        }
    }
}

fn push_reference(text: &mut String, reference: &BytesRef<'_>) -> Result<(), &'static str> {
    const UNKNOWN: &str = "its XML has an unknown entity";
    if let Some(character) = reference.resolve_char_ref().map_err(|_| UNKNOWN)? {
        text.push(character);
        return Ok(());
    }
    let name = reference.borrow().into_inner();
    text.push_str(resolve_predefined_entity(&name).ok_or(UNKNOWN)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(document: &str) -> Result<Vec<(Vec<Tag>, String)>, &'static str> {
        let mut found = Vec::new();
        walk(document.as_bytes(), |way, text| {
            found.push((way.to_vec(), text.to_owned()));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn text_comes_out_exactly() {
        let found = leaves(concat!(
            "\u{feff}<?xml version=\"1.0\"?>\n<Error xmlns='x'>",
            "<Code> a&amp;&#x41;&#66;<![CDATA[<&]]>\r\n</Code><!-- no --><Key/></Error>\n",
        ));
        assert_eq!(
            found,
            Ok(vec![
                (vec![Tag::Error, Tag::Code], " a&AB<&\r\n".to_owned()),
                (vec![Tag::Error, Tag::Key], String::new()),
                (vec![Tag::Error], String::new()),
            ])
        );
    }

    #[test]
    fn what_is_not_plain_xml_is_refused() {
        let deep = "<a>".repeat(DEPTH_MAX + 1);
        for (document, why) in [
            ("", "it ends too early"),
            ("<Error><Code>x</Code>", "it ends too early"),
            ("<Error></Code>", "it is not XML"),
            ("hello", "it is not XML"),
            ("<Error/><Error/>", "it is not XML"),
            ("<Error/>x", "it is not XML"),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "its XML has a DTD"),
            ("<a>&b;</a>", "its XML has an unknown entity"),
            ("<a>&#x110000;</a>", "its XML has an unknown entity"),
            ("<a>& b</a>", "it is not XML"),
            (deep.as_str(), "its XML is nested too deeply"),
        ] {
            assert_eq!(leaves(document), Err(why), "{document}");
        }
        assert_eq!(walk(b"<a>\xff</a>", |_, _| Ok(())), Err("it is not UTF-8"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = walk(&bytes, |_, _| Ok(()));
        }

        #[test]
        fn arbitrary_markup_never_panics(text in "[<>/&;#x!\\[\\]A-C \"'?-]{0,80}") {
            let _ = walk(text.as_bytes(), |_, _| Ok(()));
        }
    }
}
