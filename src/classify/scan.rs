//! From bytes to the lines that matter: encodings, line ends, over-long lines and bounded memory.

use std::collections::VecDeque;

use super::rules::RuleSet;

/// Bytes of the beginning and of the end that are kept for a second look.
const HEAD: usize = 64 * 1024;
const TAIL: usize = 192 * 1024;
/// How much is looked at in one go, and how much of an over-long line is kept from its beginning and its end.
const PIECE: usize = 64 * 1024;
const LINE_HEAD: usize = 16 * 1024;
const LINE_TAIL: usize = 32 * 1024;

/// Takes the lines that hold a literal of a rule, or that the reader asked for.
pub(super) trait Reader {
    /// A line, with its number among the bytes (its offset), never empty of visible bytes when it was asked for.
    fn line(&mut self, offset: u64, raw: &[u8]);
    /// Whether the next line is wanted whatever it holds.
    fn wants_next(&self) -> bool;
}

/// The stream: what is incomplete, and what is kept.
#[derive(Default)]
pub(super) struct Stream {
    encoding: Encoding,
    buffer: Vec<u8>,
    offset: u64,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    work: u64,
}

#[derive(Default)]
enum Encoding {
    #[default]
    Undecided,
    Utf8,
    Utf16 {
        big: bool,
        odd: Option<u8>,
        high: Option<u16>,
    },
}

impl Stream {
    /// Takes a chunk of any size.
    pub fn push(&mut self, chunk: &[u8], rules: &RuleSet, reader: &mut impl Reader) {
        for piece in chunk.chunks(PIECE) {
            match self.decode(piece) {
                Some(decoded) => self.take(&decoded, rules, reader),
                None => self.take(piece, rules, reader),
            }
        }
    }

    /// Looks at what is left when the stream has ended.
    pub fn end(&mut self, rules: &RuleSet, reader: &mut impl Reader) {
        if matches!(self.encoding, Encoding::Undecided) {
            let held = std::mem::take(&mut self.buffer);
            self.encoding = Encoding::Utf8;
            self.keep(&held);
            self.buffer = held;
        }
        self.work += walk(&self.buffer, self.offset, rules, reader);
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
    }

    /// Bytes that were looked through for the lines that matter.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// Everything, where it is short enough to have been kept whole; else the beginning and the end.
    pub fn kept(&self) -> (Vec<u8>, bool) {
        let whole = self.offset_end() <= (HEAD + TAIL) as u64;
        let mut text = self.head.clone();
        if !whole {
            text.push(b'\n');
        }
        text.extend(self.tail.iter());
        (text, whole)
    }

    fn offset_end(&self) -> u64 {
        self.offset + self.buffer.len() as u64
    }

    /// Hands every complete line that matters to the reader and keeps the rest.
    fn take(&mut self, bytes: &[u8], rules: &RuleSet, reader: &mut impl Reader) {
        if matches!(self.encoding, Encoding::Undecided) {
            return;
        }
        self.keep(bytes);
        let mut rest = bytes;
        if !self.buffer.is_empty() {
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else { return self.hold(bytes) };
            let (first, others) = bytes.split_at(end + 1);
            self.buffer.extend_from_slice(first);
            self.work += walk(&self.buffer, self.offset, rules, reader);
            self.offset += self.buffer.len() as u64;
            self.buffer.clear();
            rest = others;
        }
        let end = memchr::memrchr2(b'\n', b'\r', rest).map_or(0, |at| at + 1);
        let (lines, begun) = rest.split_at(end);
        self.work += walk(lines, self.offset, rules, reader);
        self.offset += lines.len() as u64;
        self.hold(begun);
    }

    /// The beginning of a line whose end has not come yet; of one that is too long its beginning and its end.
    fn hold(&mut self, begun: &[u8]) {
        self.buffer.extend_from_slice(begun);
        if self.buffer.len() > PIECE {
            let cut = LINE_HEAD..self.buffer.len() - LINE_TAIL;
            self.offset += cut.len() as u64;
            self.buffer.drain(cut);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(HEAD.saturating_sub(self.head.len())));
        self.head.extend_from_slice(first);
        let rest = rest.get(rest.len().saturating_sub(TAIL)..).unwrap_or_default();
        let excess = (self.tail.len() + rest.len()).saturating_sub(TAIL);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    /// UTF-16 turned into UTF-8; nothing where the bytes can be taken as they are.
    fn decode(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        if matches!(self.encoding, Encoding::Undecided) {
            let mut start = std::mem::take(&mut self.buffer);
            start.extend_from_slice(piece);
            if start.len() < 4 {
                self.buffer = start;
                return Some(Vec::new());
            }
            let (encoding, skip) = detect(&start);
            self.encoding = encoding;
            let body = start.get(skip..).unwrap_or_default().to_vec();
            return Some(self.transcode(&body).unwrap_or(body));
        }
        self.transcode(piece)
    }

    fn transcode(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let Encoding::Utf16 { big, odd, high } = &mut self.encoding else { return None };
        let mut out = String::with_capacity(bytes.len() / 2);
        for &byte in bytes {
            let Some(first) = odd.take() else {
                *odd = Some(byte);
                continue;
            };
            let unit = if *big { u16::from_be_bytes([first, byte]) } else { u16::from_le_bytes([first, byte]) };
            let pair = high.take();
            match (pair, unit) {
                (None, 0xd800..=0xdbff) => *high = Some(unit),
                (Some(first), 0xdc00..=0xdfff) => {
                    out.extend(char::decode_utf16([first, unit]).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
                }
                _ => out.push(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER)),
            }
        }
        Some(out.into_bytes())
    }
}

/// Hands the lines that matter to the reader; tells how many bytes were looked through for them.
fn walk(lines: &[u8], offset: u64, rules: &RuleSet, reader: &mut impl Reader) -> u64 {
    let (mut at, mut places) = (0, rules.places(lines));
    while at < lines.len() {
        let start = if reader.wants_next() {
            at
        } else {
            let Some(found) = places.next(at) else { break };
            let before = lines.get(at..found).unwrap_or_default();
            memchr::memrchr2(b'\n', b'\r', before).map_or(at, |back| at + back + 1)
        };
        let rest = lines.get(start..).unwrap_or_default();
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        reader.line(offset + start as u64, rest.get(..length).unwrap_or_default());
        at = start + length + 1;
    }
    places.work()
}

/// The encoding by its mark, or by zeros where UTF-16 text of a Windows shell came without one.
fn detect(start: &[u8]) -> (Encoding, usize) {
    let utf16 = |big| Encoding::Utf16 { big, odd: None, high: None };
    match start {
        [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
        [0xff, 0xfe, ..] => (utf16(false), 2),
        [0xfe, 0xff, ..] => (utf16(true), 2),
        [a, 0, b, 0, ..] if *a != 0 && *b != 0 => (utf16(false), 0),
        [0, a, 0, b, ..] if *a != 0 && *b != 0 => (utf16(true), 0),
        _ => (Encoding::Utf8, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::rules::{Rule, Says, rule};

    static TABLE: &[Rule] = &[rule("mark", "", Says::Works)];

    #[derive(Default)]
    struct Seen(Vec<String>, bool);

    impl Reader for Seen {
        fn line(&mut self, _: u64, raw: &[u8]) {
            self.1 = raw.ends_with(b"next");
            self.0.push(String::from_utf8_lossy(raw).into_owned());
        }
        fn wants_next(&self) -> bool {
            self.1
        }
    }

    fn read(bytes: &[u8], size: usize) -> Vec<String> {
        let (rules, mut seen, mut stream) = (RuleSet::new(&[TABLE]), Seen::default(), Stream::default());
        for chunk in bytes.chunks(size) {
            stream.push(chunk, &rules, &mut seen);
        }
        stream.end(&rules, &mut seen);
        seen.0
    }

    #[test]
    fn lines_come_whole_whatever_the_chunks() {
        let text = b"noise\nmark one\r\nnoise\rmark next\nwanted\nnoise\nlast mark";
        for size in 1..text.len() {
            assert_eq!(read(text, size), ["mark one", "mark next", "wanted", "last mark"], "{size}");
        }
    }

    #[test]
    fn utf16_is_read_with_and_without_a_mark() {
        let text = "noise\nmark ü\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
        for size in [1, 3, 100] {
            assert_eq!(read(&little, size), ["mark ü"]);
            assert_eq!(read(&big, size), ["mark ü"]);
        }
    }

    #[test]
    fn an_endless_line_keeps_its_beginning_and_its_end() {
        let text = [b"mark begin ".to_vec(), vec![b'x'; 5_000_000], b" mark end".to_vec()].concat();
        let seen = read(&text, 70_000);
        assert_eq!(seen.len(), 1);
        assert!(seen[0].starts_with("mark begin") && seen[0].ends_with("mark end"));
        assert!(seen[0].len() <= 128 * 1024);
    }
}
