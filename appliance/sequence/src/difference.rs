// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! What differs between two sequences.

use std::collections::BTreeMap;

use crate::model::join;
use crate::{Node, TaskSequence};

/// A line for each group and step that is in one of them only, or that differs, with the fields that do. No values of
/// variables are shown.
pub fn differences(old: &TaskSequence, new: &TaskSequence) -> Vec<String> {
    let (before, after) = (listed(old), listed(new));
    let mut lines = Vec::new();
    let own = |sequence: &TaskSequence| {
        let mut own = serde_json::to_value(sequence).unwrap_or_default();
        own.as_object_mut().map(|fields| fields.remove("nodes"));
        own
    };
    let changed = fields(&own(old), &own(new));
    if !changed.is_empty() {
        lines.push(format!("~ sequence: {}", changed.join(", ")));
    }
    let places: BTreeMap<&str, &serde_json::Value> = before.iter().map(|(place, node)| (&**place, node)).collect();
    let new_places: BTreeMap<&str, usize> = after.iter().enumerate().map(|(at, (place, _))| (&**place, at)).collect();
    lines.extend(
        before.iter().filter(|(place, _)| !new_places.contains_key(&**place)).map(|(place, _)| format!("- {place}")),
    );
    for (place, node) in &after {
        match places.get(&**place) {
            None => lines.push(format!("+ {place}")),
            Some(other) if *other != node => lines.push(format!("~ {place}: {}", fields(other, node).join(", "))),
            Some(_) => {}
        }
    }
    // Of what is in both, the longest part that kept its order stayed where it was.
    let order: Vec<usize> = before.iter().filter_map(|(place, _)| new_places.get(&**place).copied()).collect();
    let stayed = longest_ascending(&order);
    let moved = order.iter().filter(|at| stayed.binary_search(at).is_err());
    lines.extend(moved.map(|&at| format!("> {} (moved)", after[at].0)));
    lines
}

/// Every group and step by its path; what has the same path is numbered.
fn listed(sequence: &TaskSequence) -> Vec<(String, serde_json::Value)> {
    fn walk(
        nodes: &[Node],
        parent: &str,
        seen: &mut BTreeMap<String, u32>,
        found: &mut Vec<(String, serde_json::Value)>,
    ) {
        for node in nodes {
            let (name, inside) = match node {
                Node::Group(group) => (&group.name, &*group.nodes),
                Node::Step(step) => (&step.name, &[][..]),
            };
            let path = join(parent, name);
            let count = seen.entry(path.clone()).or_default();
            *count += 1;
            let place = if *count == 1 { path } else { format!("{path} ({count})") };
            let mut value = match node {
                Node::Group(group) => serde_json::to_value(group),
                Node::Step(step) => serde_json::to_value(step),
            }
            .unwrap_or_default();
            value.as_object_mut().map(|fields| fields.remove("nodes"));
            found.push((place.clone(), value));
            walk(inside, &place, seen, found);
        }
    }
    let mut found = Vec::new();
    walk(&sequence.nodes, "", &mut BTreeMap::new(), &mut found);
    found
}

/// Names of the fields that differ.
fn fields(old: &serde_json::Value, new: &serde_json::Value) -> Vec<String> {
    let names = |value: &serde_json::Value| value.as_object().map_or(Vec::new(), |it| it.keys().cloned().collect());
    let mut all: Vec<String> = names(old);
    all.extend(names(new));
    all.sort();
    all.dedup();
    all.retain(|name| old.get(name) != new.get(name));
    all
}

/// The values of a longest ascending subsequence, by patience sorting.
fn longest_ascending(values: &[usize]) -> Vec<usize> {
    let mut tops: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; values.len()];
    for (at, value) in values.iter().enumerate() {
        let pile = tops.partition_point(|&top| values[top] < *value);
        before[at] = pile.checked_sub(1).map(|left| tops[left]);
        if pile == tops.len() { tops.push(at) } else { tops[pile] = at }
    }
    let mut found = Vec::new();
    let mut at = tops.last().copied();
    while let Some(here) = at {
        found.push(values[here]);
        at = before[here];
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(text: &str) -> TaskSequence {
        TaskSequence::from_toml(&format!("schema = 1\n{text}"), &mut |_| Err(String::new())).expect("a sequence")
    }

    fn step(name: &str, more: &str) -> String {
        format!("[[do]]\nstep = \"{name}\"\ntype = \"Restart Computer\"\n{more}\n")
    }

    #[test]
    fn what_came_went_changed_and_moved_is_named() {
        let old = sequence(&["A", "B", "C", "C", "D"].map(|name| step(name, "")).concat());
        assert_eq!(differences(&old, &old), [""; 0]);
        let new = [step("D", ""), step("A", "disabled = true\ncommand = \"x\""), step("C", ""), step("E", "")].concat();
        let new = sequence(&format!("name = \"New\"\n{new}"));
        let expected = ["~ sequence: name", "- B", "- C (2)", "~ A: action, disabled", "+ E", "> D (moved)"];
        assert_eq!(differences(&old, &new), expected);
    }

    #[test]
    fn groups_are_compared_apart_from_what_is_in_them() {
        let group = |more: &str, inside: &str| {
            sequence(&format!("[[do]]\ngroup = \"G\"\n{more}\n{}", inside.replace("[[do]]", "[[do.do]]")))
        };
        let found = differences(&group("", &step("A", "")), &group("disabled = true", &step("B", "")));
        assert_eq!(found, ["- G / A", "~ G: disabled", "+ G / B"]);
    }
}
