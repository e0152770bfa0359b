//! A client that only pages through a listing, with one stream: the least that listing can cost.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// How long a page may take.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a page.
const PAGE_BYTES_MAX: usize = 16 << 20;
/// Lines of the head of an answer.
const HEAD_LINES_MAX: usize = 100;

/// What was listed.
pub(super) struct Listing {
    pub(super) keys: u64,
    pub(super) pages: u64,
    pub(super) wall_s: f64,
}

/// Lists a bucket from its beginning to its end.
pub(super) fn list(url: &str, bucket: &str) -> Result<Listing> {
    let address = url.strip_prefix("http://").context("an unknown scheme")?;
    let begun = Instant::now();
    let mut stream = BufReader::new(TcpStream::connect(address).context("cannot connect")?);
    stream.get_ref().set_read_timeout(Some(PAGE_TIMEOUT))?;
    stream.get_ref().set_nodelay(true)?;
    let (mut keys, mut pages, mut token) = (0, 0, String::new());
    let mut body = Vec::new();
    loop {
        let request = format!(
            "GET /{bucket}?list-type=2&continuation-token={token} HTTP/1.1\r\nHost: {address}\r\n\
             \r\n"
        );
        stream.get_ref().write_all(request.as_bytes())?;
        answer(&mut stream, &mut body)?;
        let page = std::str::from_utf8(&body).context("a page is no text")?;
        keys +=
            between(page, "<KeyCount>").and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        pages += 1;
        match between(page, "<NextContinuationToken>") {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    Ok(Listing { keys, pages, wall_s: begun.elapsed().as_secs_f64() })
}

fn answer(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Result<()> {
    let (mut line, mut length) = (String::new(), None);
    stream.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 200"), "the source answered {}", line.trim_end());
    for _ in 0..HEAD_LINES_MAX {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
    }
    let length: usize = length.context("a page without a length")?;
    ensure!(length <= PAGE_BYTES_MAX, "a page of {length} bytes");
    body.resize(length, 0);
    Ok(stream.read_exact(body)?)
}

/// The text of the first element with this tag.
fn between<'a>(page: &'a str, tag: &str) -> Option<&'a str> {
    Some(page.split_once(tag)?.1.split_once('<')?.0)
}

#[cfg(test)]
mod tests {
    use super::super::super::content::Computed;
    use super::super::super::source::serve;
    use super::list;

    #[test]
    fn every_key_is_listed_once() {
        let url = serve(Computed::tiny(2_001)).expect("a source");
        let listing = list(&url, "bucket").expect("a listing");
        assert_eq!((listing.keys, listing.pages), (2_001, 3));
    }
}
