//! Counts by place, as people read them.

use super::Counted;
use super::image::Place;
use crate::bench::report::table;
use comfy_table::{CellAlignment, TableStyle, presets};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What has a smaller share of what the system executes has no line of its own: one part in so many.
const LEAST: u64 = 100;
/// Images whose instructions aren't the system's but the measured programs' own.
const PROGRAMS: [&str; 2] = [super::PROGRAM, super::BUSYBOX];

/// A line of a row's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    image: String,
    function: String,
    source: String,
    within: String,
    instructions: i64,
}

/// The most first. What is small and inlined belongs to the function that it is inlined into; what is small then, to a line for its image
/// at the end. The sum is the row's figure: what the plugin counted otherwise than the clock has a line of its own.
pub fn lines(counted: &Counted) -> Vec<Line> {
    let total: u64 = counted.places.values().sum();
    let of_system = counted.places.iter().filter(|(place, _)| !PROGRAMS.contains(&&*place.image));
    let of_system: u64 = of_system.map(|(_, instructions)| instructions).sum();
    let is_small = |instructions: u64| instructions * LEAST < of_system;
    let mut places: BTreeMap<Place, u64> = BTreeMap::new();
    for (place, &instructions) in &counted.places {
        let place = match &place.within {
            Some(within) if is_small(instructions) => {
                Place { image: place.image.clone(), function: within.clone(), within: None }
            }
            _ => place.clone(),
        };
        *places.entry(place).or_default() += instructions;
    }
    let mut lines = Vec::new();
    let mut rest: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for (Place { image, function, within }, instructions) in places {
        if is_small(instructions) {
            let (count, sum) = rest.entry(image).or_default();
            (*count, *sum) = (*count + 1, *sum + instructions);
        } else {
            let (source, within) =
                (function.file.unwrap_or_default(), within.map_or_else(String::new, |within| within.name));
            lines.push(Line {
                image,
                function: function.name,
                source,
                within,
                instructions: instructions.cast_signed(),
            });
        }
    }
    lines.sort_by_key(|line| -line.instructions);
    let other = |image: String, function: String, instructions: i64| {
        let (source, within) = (String::new(), String::new());
        Line { image, function, source, within, instructions }
    };
    for (image, (count, sum)) in rest {
        lines.push(other(image, format!("{count} more, each below {} %", 100 / LEAST), sum.cast_signed()));
    }
    let difference = counted.figure.cast_signed() - total.cast_signed();
    if difference != 0 {
        lines.push(other(String::new(), "begun twice, because of a fault".to_owned(), difference));
    }
    lines
}

/// All rows for a terminal.
pub fn text(rows: &[Counted]) -> String {
    all(rows, "", presets::NOTHING)
}

/// The same for a document.
pub fn markdown(rows: &[Counted]) -> String {
    all(rows, "### ", presets::ASCII_MARKDOWN).lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn all(rows: &[Counted], heading: &str, style: TableStyle) -> String {
    let mut text = String::new();
    for row in rows {
        let target = row.target.as_ref().map_or_else(String::new, |target| format!(", target {target}"));
        let lines = lines(row).into_iter().map(|line| {
            let Line { image, function, source, within, instructions } = line;
            vec![image, function, source, within, instructions.to_string()]
        });
        let mut table = table(style, &["image", "function", "source", "inlined into", "instructions"], lines);
        for column in table.column_iter_mut().take(4) {
            column.set_cell_alignment(CellAlignment::Left);
        }
        // Writing to a string doesn't fail.
        _ = writeln!(text, "{heading}{}: {} instructions{target}\n\n{table}\n", row.name, row.figure);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::image::Function;
    use super::*;

    fn function(name: &str) -> Function {
        Function { name: name.to_owned(), file: None }
    }

    #[test]
    fn the_sum_is_the_figure() {
        let place = |image: &str, name, within: Option<&str>| Place {
            image: image.to_owned(),
            function: function(name),
            within: within.map(function),
        };
        let places = [
            (place("kernel", "call", None), 580),
            (place("kernel", "inlined", Some("call")), 20),
            (place("kernel", "small and inlined", Some("call")), 9),
            (place("kernel", "small", None), 2),
            (place("kernel", "small and inlined", Some("smaller")), 1),
            (place("server", "turn", None), 390),
        ];
        let counted =
            Counted { name: "row".to_owned(), figure: 1000, target: Some("≤ 900".to_owned()), places: places.into() };
        let lines = lines(&counted);
        let seen: Vec<(&str, &str, &str, i64)> =
            lines.iter().map(|line| (&*line.image, &*line.function, &*line.within, line.instructions)).collect();
        let expected = [
            ("kernel", "call", "", 589),
            ("server", "turn", "", 390),
            ("kernel", "inlined", "call", 20),
            ("kernel", "2 more, each below 1 %", "", 3),
            ("", "begun twice, because of a fault", "", -2),
        ];
        assert_eq!(seen, expected);
        assert_eq!(lines.iter().map(|line| line.instructions).sum::<i64>(), 1000);
        let text = markdown(&[counted]);
        assert!(text.starts_with("### row: 1000 instructions, target ≤ 900\n\n| image "), "{text}");
    }
}
