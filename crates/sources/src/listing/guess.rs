//! Guessing keys: where in the order of keys are those that are so many pages further on?
//!
//! Keys are read as numbers. The digits of a position are the bytes seen there, filled up to what
//! they seem to be taken from (decimals, hexadecimals, letters), so that `obj-0999` is followed by
//! `obj-1000`, and a part by those of the next month. What a page spans is the measure.

use crate::Listed;

/// Bytes of a guess: the longest key S3 takes.
const GUESS_BYTES_MAX: usize = 1_024;
/// Keys of a page that are looked at.
const SAMPLE_KEYS_MAX: usize = 64;
/// Bits of a number from the first position on in which the keys of a page differ.
const PRECISE_BITS: u32 = 48;
/// Bits of a number in all; the rest is for what is carried.
const NUMBER_BITS: u32 = 112;

/// What digits are taken from, the smallest first.
const CLASSES: [&[u8]; 6] = [
    b"0123456789",
    b"0123456789abcdef",
    b"0123456789ABCDEF",
    b"0123456789abcdefghijklmnopqrstuvwxyz",
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
];

/// A set of bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Bytes([u128; 2]);

impl Bytes {
    fn of(bytes: &[u8]) -> Self {
        let mut set = Self::default();
        bytes.iter().for_each(|byte| set.insert(*byte));
        set
    }

    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 7)] |= 1 << (byte & 127);
    }

    fn union(self, other: Self) -> Self {
        Self([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }

    fn intersection(self, other: Self) -> Self {
        Self([self.0[0] & other.0[0], self.0[1] & other.0[1]])
    }

    fn is_in(self, other: Self) -> bool {
        self.intersection(other) == self
    }

    fn len(self) -> u32 {
        self.0[0].count_ones() + self.0[1].count_ones()
    }

    /// How many bytes of the set are less.
    fn rank(self, byte: u8) -> u32 {
        let below = |bits: u128, shift: u32| (bits & ((1 << shift) - 1)).count_ones();
        match byte {
            0..128 => below(self.0[0], u32::from(byte)),
            _ => self.0[0].count_ones() + below(self.0[1], u32::from(byte - 128)),
        }
    }

    fn nth(self, rank: u32) -> u8 {
        (0..=u8::MAX).rfind(|byte| self.rank(*byte) <= rank).unwrap_or(u8::MAX)
    }
}

/// What the keys of a range look like.
#[derive(Default)]
pub(super) struct Sample {
    /// By position.
    seen: Vec<Bytes>,
    /// Of the last page, and before that the last of the page before: what a page spans reaches
    /// from one to the other. Where pages and folders begin together, the keys of one page say
    /// nothing of the next folder.
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Sample {
    /// Of a range behind `start`, which counts as the last key of a page before.
    pub(super) fn behind(start: Option<&[u8]>) -> Self {
        Self { last: start.unwrap_or_default().to_vec(), ..Self::default() }
    }

    /// Takes the keys of a page.
    pub(super) fn see(&mut self, objects: &[Listed]) {
        let (Some(first), Some(last)) = (objects.first(), objects.last()) else { return };
        let step = objects.len().div_ceil(SAMPLE_KEYS_MAX);
        for object in objects.iter().step_by(step).chain([last]) {
            let key = &object.key[..object.key.len().min(GUESS_BYTES_MAX)];
            if self.seen.len() < key.len() {
                self.seen.resize(key.len(), Bytes::default());
            }
            for (position, byte) in self.seen.iter_mut().zip(key) {
                position.insert(*byte);
            }
        }
        self.first = match self.last.is_empty() {
            true => first.key.clone(),
            false => std::mem::take(&mut self.last),
        };
        self.last.clone_from(&last.key);
    }

    /// About how many pages there are between the last key and the end. `None` if the keys tell
    /// nothing.
    pub(super) fn pages_to(&self, end: Option<&[u8]>) -> Option<u64> {
        let line = self.line()?;
        let left = line.distance(end)? / line.page;
        Some(u64::try_from(left).unwrap_or(u64::MAX))
    }

    /// Ascending keys before the end, each about so many pages from the one before.
    pub(super) fn ahead(&self, pages: u64, most: usize, end: Option<&[u8]>) -> Vec<Vec<u8>> {
        let Some(line) = self.line() else { return Vec::new() };
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for number in 1..=most as u128 {
            let step = line.page.checked_mul(u128::from(pages) * number);
            let key = step.and_then(|step| line.key(step));
            let Some(key) = key.filter(|key| self.is_good(key, end)) else { break };
            if keys.last().is_some_and(|last| *last >= key) {
                break;
            }
            keys.push(key);
        }
        keys
    }

    /// A key in the middle of what is left.
    pub(super) fn half_way(&self, end: Option<&[u8]>) -> Option<Vec<u8>> {
        let line = self.line()?;
        line.key(line.distance(end)? / 2).filter(|key| self.is_good(key, end))
    }

    fn is_good(&self, key: &Vec<u8>, end: Option<&[u8]>) -> bool {
        *key > self.last && end.is_none_or(|end| key.as_slice() < end)
    }

    fn line(&self) -> Option<Line<'_>> {
        let differs = self.first.iter().zip(&self.last).position(|(first, last)| first != last);
        let differs = differs.unwrap_or(self.first.len().min(self.last.len()));
        let class = self.class();
        let digits: Vec<Bytes> = self.seen.iter().map(|seen| filled(*seen, class)).collect();
        let bits = |position: usize| digits[position].len().max(1).next_power_of_two().ilog2();
        let (mut end, mut precise) = (differs, 0);
        while end < digits.len() && precise < PRECISE_BITS {
            precise += bits(end);
            end += 1;
        }
        let (mut start, mut all) = (differs.min(end), precise);
        while start > 0 && all + bits(start - 1) <= NUMBER_BITS {
            start -= 1;
            all += bits(start);
        }
        let mut line = Line { last: &self.last, digits, start, end, page: 0 };
        line.page = line.value(&self.last).checked_sub(line.value(&self.first))?;
        (line.page > 0).then_some(line)
    }

    /// What the letters and numbers that vary are taken from.
    fn class(&self) -> Bytes {
        let [.., widest] = CLASSES.map(Bytes::of);
        let varying = self.seen.iter().filter(|seen| seen.len() > 1);
        let used = varying.fold(Bytes::default(), |all, seen| all.union(*seen));
        let used = used.intersection(widest);
        CLASSES.map(Bytes::of).into_iter().find(|class| used.is_in(*class)).unwrap_or(widest)
    }
}

/// The digits of a position at which these bytes were seen.
fn filled(seen: Bytes, class: Bytes) -> Bytes {
    let [.., widest] = CLASSES.map(Bytes::of);
    let used = seen.intersection(widest);
    if used.len() > 0 && used.is_in(class) { seen.union(class) } else { seen }
}

/// Keys as numbers. They have the same beginning as `last`, and `page` is what a page spans.
struct Line<'a> {
    last: &'a [u8],
    digits: Vec<Bytes>,
    /// The positions that are counted.
    start: usize,
    end: usize,
    page: u128,
}

impl Line<'_> {
    fn value(&self, key: &[u8]) -> u128 {
        (self.start..self.end).fold(0, |value, position| {
            let digits = self.digits[position];
            let rank = key.get(position).map_or(0, |byte| digits.rank(*byte));
            let radix = digits.len().max(1);
            value * u128::from(radix) + u128::from(rank.min(radix - 1))
        })
    }

    /// From the last key to the end, or to the last of all numbers.
    fn distance(&self, end: Option<&[u8]>) -> Option<u128> {
        let radixes = self.digits[self.start..self.end].iter();
        let all: u128 = radixes.map(|digits| u128::from(digits.len().max(1))).product();
        let beginning = self.last.get(..self.start)?;
        let top = match end {
            Some(end) if end.get(..self.start) == Some(beginning) => self.value(end),
            _ => all,
        };
        top.checked_sub(self.value(self.last))
    }

    /// The key so far behind the last one, as text and no longer than a key may be.
    fn key(&self, step: u128) -> Option<Vec<u8>> {
        let mut value = self.value(self.last).checked_add(step)?;
        let mut tail = Vec::with_capacity(self.end - self.start);
        for digits in self.digits[self.start..self.end].iter().rev() {
            let radix = u128::from(digits.len().max(1));
            tail.push(digits.nth((value % radix) as u32));
            value /= radix;
        }
        if value > 0 {
            return None;
        }
        tail.reverse();
        let mut key = [self.last.get(..self.start)?, &tail].concat();
        if let Err(error) = std::str::from_utf8(&key) {
            key.truncate(error.valid_up_to());
        }
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::tests::listed;

    fn sample(keys: impl IntoIterator<Item = String>) -> Sample {
        let mut sample = Sample::default();
        sample.see(&keys.into_iter().map(|key| listed(key.as_bytes())).collect::<Vec<_>>());
        sample
    }

    fn guess(sample: &Sample, pages: u64) -> Option<String> {
        let key = sample.ahead(pages, 1, None).pop()?;
        Some(String::from_utf8(key).expect("guesses are text"))
    }

    #[test]
    fn numbers_go_on() {
        let first = sample((0..1000).map(|at| format!("obj-{at:07}")));
        assert_eq!(guess(&first, 15).as_deref(), Some("obj-0015984"));
        assert_eq!(first.pages_to(Some(b"obj-0015984")), Some(15));
        let several = first.ahead(8, 3, Some(b"obj-0017000"));
        assert_eq!(several, [b"obj-0008991", b"obj-0016983"]);
        assert_eq!(first.half_way(Some(b"obj-0002999")).as_deref(), Some(&b"obj-0001999"[..]));
        let last = sample((9_999_000..10_000_000).map(|at| format!("obj-{at:07}")));
        assert_eq!(guess(&last, 1), None);
    }

    #[test]
    fn digits_are_what_they_are_taken_from() {
        let hex = sample((0x2ff0_u32..0x3000).map(|at| format!("{at:08x}.bin")));
        assert_eq!(guess(&hex, 1).as_deref(), Some("0000300e.bin"));
        let upper = sample((0x2ff0_u32..0x3000).map(|at| format!("K{at:04X}")));
        assert_eq!(guess(&upper, 1).as_deref(), Some("K300E"));
        let part = |at: u32| format!("year=2024/month={:02}/part-{:04}", at / 800 + 1, at % 800);
        let months = sample((400..1400).map(part));
        let guess = guess(&months, 8).expect("a guess");
        assert!(guess.starts_with("year=2024/month=10/part-"), "{guess}");
    }

    #[test]
    fn what_cannot_be_guessed_is_not() {
        assert_eq!(guess(&Sample::default(), 1), None);
        assert_eq!(guess(&sample(["one".to_owned()]), 1), None);
        assert_eq!(sample(["one".to_owned()]).pages_to(None), None);
    }

    #[test]
    fn sets_of_bytes_count() {
        let set = Bytes::of(b"\x00\x7f\x80\xffa");
        assert_eq!(set.len(), 5);
        for (rank, byte) in [0, b'a', 0x7f, 0x80, 0xff].into_iter().enumerate() {
            assert_eq!((set.rank(byte), set.nth(rank as u32)), (rank as u32, byte));
        }
        assert_eq!(set.rank(b'b'), 2);
    }
}
