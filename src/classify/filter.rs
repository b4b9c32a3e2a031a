//! Finds the literals of all rules, faster than an automaton that must look at every byte in turn.
//!
//! Of each literal the rarest four bytes are kept, in a table of bits small enough for a processor's first cache. The text is
//! looked at four bytes at a time, each place without regard to the one before, so the processor works on many at once. Where
//! they occur, the whole literal is compared. Upper and lower case are alike.

/// Bits of the first table, as a power of two.
const BITS: u32 = 16;
/// Places of the second table, as a power of two.
const PLACES: u32 = 12;
/// What makes letters of both cases alike; of other bytes it makes some alike that are not, which costs a look.
const FOLD: u32 = 0x2020_2020;
/// Begins a colour's mark; too short for the tables, and found faster alone.
const ESCAPE: u8 = 0x1b;

/// The literals, by their rarest parts.
pub(super) struct Filter {
    bits: Vec<u64>,
    /// Where the parts of a gram begin, by its hash; one more than the place, so that 0 is nothing.
    first: Vec<u32>,
    parts: Vec<Part>,
    /// How many literals make a line worth a look; those after them are only told when one is looked at.
    telling: usize,
}

/// Four bytes, the literal that they are of, and where they stand in it.
#[derive(PartialEq, Eq)]
struct Part {
    gram: u32,
    literal: usize,
    needle: &'static str,
    at: usize,
}

impl Filter {
    /// Of these literals, each at least three bytes long or begun by an escape. The first `telling` of them make a line
    /// worth a look.
    pub fn new(needles: impl Iterator<Item = &'static str>, telling: usize) -> Self {
        let long = needles.enumerate().filter(|(_, needle)| !needle.starts_with('\u{1b}'));
        let mut parts: Vec<Part> = long.flat_map(|(literal, needle)| parts(literal, needle)).collect();
        parts.sort_unstable_by_key(|part| (slot(part.gram), part.gram, part.literal));
        parts.dedup();
        let mut bits = vec![0; 1 << (BITS - 6)];
        let mut first = vec![0; 1 << PLACES];
        for (at, part) in parts.iter().enumerate().rev() {
            let slot = slot(part.gram);
            if let Some(word) = bits.get_mut(slot >> 6) {
                *word |= 1 << (slot & 63);
            }
            if let Some(first) = first.get_mut(slot >> (BITS - PLACES)) {
                *first = u32::try_from(at + 1).unwrap_or_default();
            }
        }
        Self { bits, first, parts, telling }
    }

    /// The places of the text that hold a telling literal or a colour.
    pub fn places<'t>(&'t self, text: &'t [u8]) -> Places<'t> {
        Places { filter: self, text, colour: None, work: 0 }
    }

    /// Tells every literal of the text, some of them more than once.
    pub fn each(&self, text: &[u8], mut tell: impl FnMut(usize)) {
        self.walk(text, |_, literal| {
            tell(literal);
            false
        });
    }

    /// Goes through the literals of the text, with a place in each, until `enough` says so.
    fn walk(&self, text: &[u8], mut enough: impl FnMut(usize, usize) -> bool) {
        let mut at = 0;
        while let Some(found) = self.place(text, at) {
            let gram = gram(text.get(found..).unwrap_or_default());
            let bucket = slot(gram) >> (BITS - PLACES);
            let first = self.first.get(bucket).map_or(0, |first| *first as usize);
            for part in self.parts.get(first.wrapping_sub(1)..).unwrap_or_default() {
                if part.gram == gram {
                    if part.lies(text, found) && enough(found, part.literal) {
                        return;
                    }
                } else if slot(part.gram) >> (BITS - PLACES) != bucket {
                    break;
                }
            }
            at = found + 1;
        }
    }

    /// The next place whose bytes may be of a literal. Three bytes at the very end may be one.
    #[inline]
    fn place(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..)?;
        let found = rest.windows(4).position(|window| self.may_be(gram(window))).map(|at| from + at);
        found.or_else(|| text.len().checked_sub(3).filter(|last| *last >= from))
    }

    #[inline]
    fn may_be(&self, gram: u32) -> bool {
        let slot = slot(gram);
        self.bits.get(slot >> 6).is_some_and(|word| word >> (slot & 63) & 1 == 1)
    }
}

/// Where a text is worth a look. Both searches, for literals and for colours, only go forward: what one of them has found is
/// kept until the lines before it are done with.
pub(super) struct Places<'t> {
    filter: &'t Filter,
    text: &'t [u8],
    /// The next colour as far as it is known, the text's end where there is none.
    colour: Option<usize>,
    work: u64,
}

impl Places<'_> {
    /// A place in the first line at or after `from` that holds one. `from` is the beginning of a line, and none before one that
    /// was asked for.
    pub fn next(&mut self, from: usize) -> Option<usize> {
        let colour = self.colour.filter(|at| *at >= from).unwrap_or_else(|| self.find_colour(from));
        let before = self.text.get(from..colour)?;
        let mut place = None;
        self.filter.walk(before, |at, literal| {
            place = (literal < self.filter.telling).then_some(at);
            place.is_some()
        });
        self.work += place.unwrap_or(before.len()) as u64;
        place.map(|at| from + at).or_else(|| (colour < self.text.len()).then_some(colour))
    }

    /// The next colour, or the text's end.
    fn find_colour(&mut self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        let found = memchr::memchr_iter(ESCAPE, rest).find(|at| rest.get(at + 1) == Some(&b'['));
        let length = found.unwrap_or(rest.len());
        self.work += length as u64;
        *self.colour.insert(from + length)
    }

    /// Bytes that were looked through so far.
    pub fn work(&self) -> u64 {
        self.work
    }
}

impl Part {
    /// Whether the whole literal is here, where its part is at `at`.
    fn lies(&self, text: &[u8], at: usize) -> bool {
        let start = at.checked_sub(self.at);
        let there = start.and_then(|start| text.get(start..start + self.needle.len()));
        there.is_some_and(|there| there.eq_ignore_ascii_case(self.needle.as_bytes()))
    }
}

/// The first four bytes, or three and a line's end.
#[inline]
fn gram(bytes: &[u8]) -> u32 {
    match *bytes {
        [a, b, c, d, ..] => u32::from_le_bytes([a, b, c, d]) | FOLD,
        [a, b, c] => u32::from_le_bytes([a, b, c, b'\n']) | FOLD,
        _ => 0,
    }
}

#[inline]
const fn slot(gram: u32) -> usize {
    (gram.wrapping_mul(0x9e37_79b1) >> (u32::BITS - BITS)) as usize
}

/// The rarest four bytes of a literal; those of a shorter one with everything that may follow.
fn parts(literal: usize, needle: &'static str) -> Vec<Part> {
    let bytes = needle.as_bytes();
    if let &[a, b, c] = bytes {
        return (0..=u8::MAX).map(|d| Part { gram: gram(&[a, b, c, d]), literal, needle, at: 0 }).collect();
    }
    let rarity = |window: &[u8]| window.iter().map(|byte| commonness(*byte)).sum::<u32>();
    // Of those that are alike the last: codes of one family begin alike.
    let rarest = bytes.windows(4).enumerate().rev().min_by_key(|(_, window)| rarity(window));
    rarest.map(|(at, window)| Part { gram: gram(window), literal, needle, at }).into_iter().collect()
}

/// How often a byte stands in a log, roughly.
const fn commonness(byte: u8) -> u32 {
    match byte.to_ascii_lowercase() {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b' ' => 9,
        b'h' | b'l' | b'd' | b'c' | b'u' | b'm' => 7,
        b'f' | b'p' | b'g' | b'w' | b'y' | b'b' | b'v' | b'0'..=b'9' | b'_' | b'"' => 5,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_literal_is_found_wherever_it_stands() {
        let needles = ["ER_", "PG::", "Error: P3018", "sqlstate", "\u{1b}["];
        let filter = Filter::new(needles.into_iter(), needles.len());
        for needle in needles {
            for before in 0..9 {
                for after in 0..9 {
                    let text = format!("{}{}{}", "x".repeat(before), needle.to_lowercase(), "\n".repeat(after));
                    let at = filter.places(text.as_bytes()).next(0).unwrap();
                    assert!((before..before + needle.len()).contains(&at), "{text:?}: {at}");
                }
            }
        }
        assert_eq!(filter.places(b"nothing of the kind").next(0), None);
        assert_eq!(filter.places(b"").next(0), None);
    }

    #[test]
    fn every_literal_of_a_line_is_told() {
        let filter = Filter::new(["abcd", "bcde", "b c", "ABCD"].into_iter(), 2);
        let mut told = Vec::new();
        filter.each(b"xAbcdE b c", |literal| told.push(literal));
        told.sort_unstable();
        assert_eq!(told, [0, 1, 2, 3]);
        assert_eq!((filter.places(b"a b c").next(0), filter.places(b"abcd").next(0)), (None, Some(0)));
    }
}
