//! Keeps the end of what a console said, to show it when something went wrong.

use std::collections::VecDeque;

/// The last bytes of a stream.
#[derive(Clone, Debug)]
pub struct Tail {
    bytes: VecDeque<u8>,
    limit: usize,
    lost: bool,
}

impl Tail {
    /// Keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Tail {
        Tail { bytes: VecDeque::new(), limit, lost: false }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let surplus = self.bytes.len().saturating_sub(self.limit);
        if surplus > 0 {
            self.bytes.drain(..surplus);
            self.lost = true;
        }
    }

    /// What it holds, without the line that lost its beginning and without carriage returns.
    pub fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match text.split_once('\n') {
            Some((_, rest)) if self.lost => rest.to_owned(),
            _ => text,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn keeps_whole_lines_of_the_end() {
        let mut tail = Tail::new(16);
        tail.push(b"first line\r\n");
        assert_eq!(tail.text(), "first line\n");
        tail.push(b"second\nthird\n");
        assert_eq!(tail.text(), "second\nthird\n");
    }
}
