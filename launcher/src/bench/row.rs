//! The lines that benchmark programs print.
//!
//! | line | meaning |
//! |---|---|
//! | `bench NAME MINIMUM MEDIAN UNIT` | what it costs |
//! | `bench NAME missing REASON` | this system can't do it |
//! | `bench-end` | no more will come |

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one row has come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Finding {
    Figure { min: u64, median: u64 },
    Missing { missing: String },
}

impl Finding {
    pub fn median(&self) -> Option<u64> {
        match self {
            Finding::Figure { median, .. } => Some(*median),
            Finding::Missing { .. } => None,
        }
    }
}

/// Findings by the name of their row.
pub type Findings = BTreeMap<String, Finding>;

/// A line of a benchmark program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Row(String, Finding),
    End,
    /// Of something else on the same wire.
    Other,
}

impl Line {
    pub fn parse(line: &str) -> Line {
        let line = line.trim();
        if line == "bench-end" {
            return Line::End;
        }
        let Some(rest) = line.strip_prefix("bench ") else { return Line::Other };
        let Some((name, rest)) = rest.split_once(' ') else { return Line::Other };
        if let Some(reason) = rest.strip_prefix("missing") {
            return Line::Row(name.to_owned(), Finding::Missing { missing: reason.trim().to_owned() });
        }
        let mut numbers = rest.split(' ').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(min)), Some(Ok(median))) => Line::Row(name.to_owned(), Finding::Figure { min, median }),
            _ => Line::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let row = |line| match Line::parse(line) {
            Line::Row(name, finding) => (name, finding),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(row("bench getpid 60 61 ticks\r"), ("getpid".into(), Finding::Figure { min: 60, median: 61 }));
        let missing = "epoll_create1: Function not implemented";
        assert_eq!(row(&format!("bench e {missing}").replace("e epoll", "e missing epoll")).1.median(), None);
        assert_eq!(Line::parse("bench-end\n"), Line::End);
        for other in ["", "bench", "bench x", "bench x 1", "bench x y 2 ticks", "random: crng init done"] {
            assert_eq!(Line::parse(other), Line::Other, "{other}");
        }
    }
}
