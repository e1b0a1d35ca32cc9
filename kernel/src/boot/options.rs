//! The kernel's command line: words of the form `name=value`.
//!
//! | word | meaning |
//! |---|---|
//! | `cnode_bits=N` | the root task's CNode has 2^N slots (12 to 22; 15 without the word) |
//! | `log=error`, `log=info` | what boot says on COM1: only what is wrong (release builds), or what it finds (debug builds) |
//!
//! An unknown word is reported and passed over: a boot loader may add words of its own.

/// Slots of the root CNode, as a power of two, unless the command line says otherwise.
pub const DEFAULT_CNODE_BITS: u64 = 15;
const CNODE_BITS: core::ops::RangeInclusive<u64> = 12..=22;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub cnode_bits: u64,
    /// Whether boot says what it finds.
    pub verbose: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { cnode_bits: DEFAULT_CNODE_BITS, verbose: cfg!(feature = "debug") }
    }
}

/// Reads the command line; `complain` gets each word that isn't understood.
pub fn parse(command_line: &[u8], mut complain: impl FnMut(&[u8])) -> Options {
    let mut options = Options::default();
    for word in command_line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        match word {
            b"log=error" => options.verbose = false,
            b"log=info" => options.verbose = true,
            _ => match word.strip_prefix(b"cnode_bits=").and_then(number).filter(|n| CNODE_BITS.contains(n)) {
                Some(bits) => options.cnode_bits = bits,
                None => complain(word),
            },
        }
    }
    options
}

fn number(digits: &[u8]) -> Option<u64> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    #[test]
    fn known_words_count_and_others_are_reported() {
        let mut bad = Vec::new();
        let options = parse(b"  log=info cnode_bits=17\tquiet cnode_bits=99 cnode_bits= ", |w| bad.push(w.to_vec()));
        assert_eq!(options, Options { cnode_bits: 17, verbose: true });
        assert_eq!(bad, [&b"quiet"[..], b"cnode_bits=99", b"cnode_bits="]);
        assert_eq!(parse(b"", |_| panic!()), Options::default());
    }
}
