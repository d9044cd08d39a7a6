// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Elements, attributes and texts, whatever they mean.

use super::{Reader, Xml};
use crate::import::ChangeKind;
use crate::limits::{self, MAX_DESCRIPTION, MAX_NAME};

/// The first child element of that name.
pub(crate) fn child_named<'d, 'i>(node: Xml<'d, 'i>, name: &str) -> Option<Xml<'d, 'i>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

impl Reader<'_> {
    /// Refuses attributes other than `allowed`; tolerant, leaves them out.
    pub(super) fn attributes(&mut self, node: Xml<'_, '_>, allowed: &[&str]) {
        for attribute in node.attributes() {
            if attribute.namespace().is_none() && allowed.contains(&attribute.name()) {
                continue;
            }
            let what = format!("attribute {} of <{}>", attribute.name(), node.tag_name().name());
            if self.tolerant() {
                self.change(attribute.range().start, ChangeKind::Left, what);
            } else {
                self.note(attribute.range().start, &what, format!("one of {}", allowed.join(", ")), "an unknown one");
            }
        }
    }

    /// Child elements; text between them is refused, or left out.
    pub(super) fn children<'x, 'i>(&mut self, node: Xml<'x, 'i>) -> Vec<Xml<'x, 'i>> {
        let mut found = Vec::new();
        for child in node.children() {
            if child.is_element() {
                found.push(child);
            } else if child.is_text() && child.text().is_some_and(|text| !text.trim().is_empty()) {
                let what = format!("<{}>", node.tag_name().name());
                if self.tolerant() {
                    self.change(child.range().start, ChangeKind::Left, format!("text between the elements of {what}"));
                } else {
                    self.note(child.range().start, &what, "only elements", "text");
                }
            }
        }
        found
    }

    pub(super) fn unknown_child(&mut self, parent: Xml<'_, '_>, child: Xml<'_, '_>, allowed: &str) {
        let what = format!("<{}>", parent.tag_name().name());
        let found = format!("<{}>", child.tag_name().name());
        if self.tolerant() {
            self.change(child.range().start, ChangeKind::Left, format!("{found} in {what}"));
        } else {
            self.note(child.range().start, &what, allowed, found);
        }
    }

    pub(super) fn twice(&mut self, child: Xml<'_, '_>, seen: bool) {
        if seen {
            let what = format!("<{}>", child.tag_name().name());
            self.note(child.range().start, &what, "one", "a second one");
        }
    }

    /// Text of an element that has no elements. What is only white space counts as none.
    pub(super) fn text(&mut self, node: Xml<'_, '_>) -> String {
        let mut text = String::new();
        for child in node.children() {
            if child.is_element() {
                self.unknown_child(node, child, "text");
            } else if child.is_text() {
                text.push_str(child.text().unwrap_or_default());
            }
        }
        if text.trim().is_empty() { String::new() } else { text }
    }

    pub(super) fn flag(&mut self, node: Xml<'_, '_>, name: &str) -> bool {
        match node.attribute(name) {
            None | Some("false" | "") => false,
            Some("true") => true,
            Some(word) if self.tolerant() && ["true", "false"].iter().any(|it| word.eq_ignore_ascii_case(it)) => {
                word.eq_ignore_ascii_case("true")
            }
            Some(other) => {
                self.attribute_problem(node, name, "true or false", &format!("{other:?}"));
                false
            }
        }
    }

    pub(super) fn attribute_problem(&mut self, node: Xml<'_, '_>, name: &str, expected: &str, found: &str) {
        let byte = node.attribute_node(name).map_or(node.range().start, |attribute| attribute.range().start);
        self.note(byte, &format!("attribute {name} of <{}>", node.tag_name().name()), expected, found);
    }

    pub(super) fn number(&mut self, node: Xml<'_, '_>, name: &str) -> Option<u32> {
        let text = node.attribute(name).unwrap_or_default();
        if text.is_empty() {
            return None;
        }
        let number = text.parse().ok();
        if number.is_none() {
            self.attribute_problem(node, name, "a whole number", &format!("{text:?}"));
        }
        number
    }

    /// Checks a name; tolerant, makes it one that passes. A name that is cut goes whole into the description.
    pub(super) fn name(&mut self, byte: usize, of: &str, name: &mut String, description: &mut String) {
        if limits::name(name).is_ok() {
            return;
        }
        if !self.tolerant() {
            self.check(byte, &format!("name of {of}"), limits::name(name));
            return;
        }
        let mut line: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if line.trim().is_empty() {
            line = "(no name)".to_owned();
        }
        if line.chars().count() > MAX_NAME {
            let whole = line;
            line = start_of(&whole, MAX_NAME);
            *description = if description.is_empty() { whole } else { format!("{whole}. {description}") };
            self.path.push(line.clone());
            self.change(
                byte,
                ChangeKind::Shortened,
                format!("name to {MAX_NAME} characters (whole in the description)"),
            );
            self.path.pop();
        } else {
            self.change(byte, ChangeKind::Translated, format!("name {name:?} to {line:?}"));
        }
        *name = line;
    }

    /// Checks a description; tolerant, cuts it.
    pub(super) fn description(&mut self, byte: usize, of: &str, description: &mut String) {
        if self.tolerant() && limits::description(description).is_err() {
            let what = format!("description to {MAX_DESCRIPTION} characters (whole: {description:?})");
            self.change(byte, ChangeKind::Shortened, what);
            *description = start_of(description, MAX_DESCRIPTION);
        }
        self.check(byte, &format!("description of {of}"), limits::description(description));
    }
}

fn start_of(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect::<String>().trim_end().to_owned()
}
