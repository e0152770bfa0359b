//! Makes an honest answer a wrong one.

use bytes::Bytes;
use sample::xml;

use crate::s3::reply::{Ending, Framing, Reply, Start};
use crate::s3::{Content, Fault};

impl Fault {
    /// The answer that stands in for the honest one; `None` if this fault only bends that.
    pub(crate) fn replacement(&self) -> Option<Reply> {
        let error = |status, code: &str| {
            let message = "the script of the test says so";
            Reply::xml(status, xml::error_document(code, message, "", "SCRIPTED", ""))
        };
        match self {
            Self::Status { code, s3_code, headers } => {
                let mut reply = error(*code, s3_code);
                headers.iter().for_each(|(name, value)| reply.set(name, value));
                Some(reply)
            }
            Self::OkWithError(s3_code) => Some(error(200, s3_code)),
            Self::RequestTimeTooSkewed => Some(error(403, "RequestTimeTooSkewed")),
            Self::Redirect { code, location, region } => {
                let mut reply = error(*code, "PermanentRedirect");
                reply.set("Location", location);
                reply.set("x-amz-bucket-region", region);
                Some(reply)
            }
            Self::Body(bytes) => Some(Reply::xml(200, bytes.clone())),
            Self::Raw(bytes) => Some(without_head(Start::Raw(bytes.clone()))),
            Self::ResetBeforeHeaders => Some(without_head(Start::Never(Ending::Reset))),
            Self::StallBeforeHeaders => Some(without_head(Start::Never(Ending::Stall))),
            _ => None,
        }
    }

    /// Bends an honest answer.
    pub(crate) fn bend(self, reply: &mut Reply) {
        match self {
            Self::ResetAfter(bytes) => reply.cut = Some((bytes, Ending::Reset)),
            Self::CloseAfter(bytes) => reply.cut = Some((bytes, Ending::Close)),
            Self::StallAfter(bytes) => reply.cut = Some((bytes, Ending::Stall)),
            Self::ContentLengthOff(by) => {
                let lines = vec![reply.len().saturating_add_signed(by).to_string()];
                reply.framing = Framing::Lines(lines);
            }
            Self::ContentLengthLines(lines) => reply.framing = Framing::Lines(lines),
            Self::Chunked => reply.framing = Framing::Chunked,
            Self::NoLength => reply.framing = Framing::Close,
            Self::ExtraBytes(count) => reply.extra = vec![b'!'; count],
            Self::FlippedByte(at) => reply.flipped = Some(at),
            Self::SlowDrip { bytes, every } => reply.pace = Some((bytes, every)),
            Self::Header(name, value) => reply.set(name, value),
            Self::WrongEtag(etag) => reply.set("ETag", etag),
            Self::NoEtag => reply.unset("ETag"),
            Self::PartialToFull => partial_to_full(reply),
            Self::WrongContentRange => {
                let (first, last) = (reply.range.start + 1, reply.range.end);
                let shown = format!("bytes {first}-{last}/{}", reply.content.len());
                reply.set("Content-Range", shown);
            }
            Self::WrongChecksum(checksum) => {
                let other = Content::Held(Bytes::from_static(b"other bytes"));
                reply.set(checksum.header(), checksum.of(&other));
            }
            // The others change what is asked, or the listing, before there is an answer.
            _ => {}
        }
    }
}

fn without_head(start: Start) -> Reply {
    Reply { start, ..Reply::new(200, Content::Held(Bytes::new())) }
}

fn partial_to_full(reply: &mut Reply) {
    let total = reply.content.len();
    reply.range = 0..total.div_ceil(2);
    reply.status = 206;
    let shown = format!("bytes 0-{}/{total}", reply.range.end.saturating_sub(1));
    reply.set("Content-Range", shown);
}
