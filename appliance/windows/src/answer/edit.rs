// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Changes of an XML text in place: whatever is not changed stays as its author wrote it. Each change reads the text
//! anew, which is cheap for files of this size and leaves no positions to keep.

use std::collections::HashSet;
use std::ops::Range;

use roxmltree::{Document, Node, ParsingOptions};

use super::element::{Content, Element, escape};
use super::{AnswerError, Expansion, MAX_ANSWER_BYTES, UNATTEND};
use crate::Architecture;

/// Most elements and texts of a file.
const MAX_NODES: u32 = 100_000;
/// Most attributes of an element: the parser compares each with all before it.
const MAX_ATTRIBUTES: usize = 1000;

/// How an element is found in its parent, and made where there is none.
#[derive(Debug, Clone)]
pub(super) struct Step {
    name: &'static str,
    /// It has these attributes.
    key: Vec<(&'static str, &'static str)>,
    /// It gets these too when it is made.
    more: &'static [(&'static str, &'static str)],
}

impl Step {
    pub(super) fn plain(name: &'static str) -> Self {
        Self { name, key: Vec::new(), more: &[] }
    }

    pub(super) fn pass(pass: &'static str) -> Self {
        Self { name: "settings", key: vec![("pass", pass)], more: &[] }
    }

    pub(super) fn component(name: &'static str, architecture: Architecture) -> Self {
        Self {
            name: "component",
            key: vec![("name", name), ("processorArchitecture", architecture.name())],
            more: &[("publicKeyToken", "31bf3856ad364e35"), ("language", "neutral"), ("versionScope", "nonSxS")],
        }
    }

    fn find<'d, 'i>(&self, parent: Node<'d, 'i>) -> Option<Node<'d, 'i>> {
        let has = |node: &Node<'_, '_>, (name, value): &(&str, &str)| {
            node.attribute(*name).is_some_and(|found| found.eq_ignore_ascii_case(value))
        };
        parent.children().find(|node| {
            node.has_tag_name((UNATTEND, self.name)) && self.key.iter().all(|attribute| has(node, attribute))
        })
    }

    fn make(&self, content: Content) -> Element {
        let attributes: Vec<(&str, &str)> = self.key.iter().chain(self.more).copied().collect();
        Element::with(self.name, &attributes, content)
    }
}

/// UTF-8, or UTF-16 with its mark; without the XML declaration, which says in which encoding the text was.
pub(super) fn decode(bytes: &[u8]) -> Result<String, AnswerError> {
    let (encoding, mark_bytes) = encoding_rs::Encoding::for_bom(bytes).unwrap_or((encoding_rs::UTF_8, 0));
    let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark_bytes..]);
    let text = text.ok_or(AnswerError::Encoding)?;
    let declaration = text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
    Ok(declaration.map_or(&*text, |(_, rest)| rest).to_owned())
}

/// Well-formed XML within the limits; the parser refuses document types, and entities with them.
pub(super) fn parse(text: &str) -> Result<Document<'_>, AnswerError> {
    // A `<` can't stand in an attribute, so that the attributes of an element are all between two of them.
    if text.split('<').any(|part| part.bytes().filter(|byte| *byte == b'=').count() > MAX_ATTRIBUTES) {
        return Err(AnswerError::Crowded { limit: MAX_ATTRIBUTES });
    }
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(AnswerError::Xml)
}

/// Of the image's architecture, in the passes that are read.
pub(super) fn no_component_twice(document: &Document<'_>, architecture: Architecture) -> Result<(), AnswerError> {
    let mut seen = HashSet::new();
    for node in settings(document).filter(|node| node.has_tag_name((UNATTEND, "component"))) {
        let is_read = node.attribute("processorArchitecture").and_then(Architecture::from_name) == Some(architecture);
        let pass = node.parent_element().and_then(|settings| settings.attribute("pass")).unwrap_or_default();
        let key = ["name", "language", "versionScope", "publicKeyToken"].map(|name| node.attribute(name));
        if is_read && !seen.insert((pass, key)) {
            let short = |text: &str| text.chars().take(80).collect();
            let component = short(key[0].unwrap_or_default());
            return Err(AnswerError::Twice { pass: short(pass), component });
        }
    }
    Ok(())
}

/// How far a path of elements exists: the last that does, and what is missing below it.
fn walk<'d, 'i, 's>(document: &'d Document<'i>, steps: &'s [Step]) -> (Node<'d, 'i>, &'s [Step]) {
    let mut node = document.root_element();
    for (at, step) in steps.iter().enumerate() {
        match step.find(node) {
            Some(child) => node = child,
            None => return (node, &steps[at..]),
        }
    }
    (node, &[])
}

/// Whether there is such an element.
pub(super) fn has(text: &str, steps: &[Step]) -> Result<bool, AnswerError> {
    Ok(walk(&parse(text)?, steps).1.is_empty())
}

/// Puts a content into an element, and makes the elements on the way to it that are missing.
pub(super) fn put(text: &str, steps: &[Step], content: &Content) -> Result<String, AnswerError> {
    let document = parse(text)?;
    let (node, missing) = walk(&document, steps);
    let inner = inner(text, node);
    let mut made = String::new();
    let range = match missing.split_first() {
        None => {
            content.write(&mut made, &indent(text, node));
            inner.clone().unwrap_or(node.range())
        }
        Some((first, rest)) => {
            let content =
                rest.iter().rev().fold(content.clone(), |content, step| Content::Elements(vec![step.make(content)]));
            let own = indent(text, node);
            let here = format!("{own}    ");
            made.push_str(&here);
            first.make(content).write(&mut made, &here);
            // Below what is there, above the line that closes the element.
            let end = inner.as_ref().map_or(0, |inner| text[..inner.end].trim_end().len().max(inner.start));
            if inner.as_ref().is_none_or(|inner| !text[end..inner.end].contains('\n')) {
                made.push_str(&own);
            }
            inner.as_ref().map_or(node.range(), |_| end..end)
        }
    };
    if inner.is_none() {
        // `<name … />` becomes `<name …>…</name>`.
        let tag = &text[node.range()];
        let tag = tag.strip_suffix("/>").unwrap_or(tag).trim_end();
        let name = tag[1..].split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        made = format!("{tag}>{made}</{name}>");
    }
    Ok(splice(text, vec![(range, made)]))
}

/// Takes an element away, with the line it stands on.
pub(super) fn remove(text: &str, steps: &[Step]) -> Result<String, AnswerError> {
    let document = parse(text)?;
    let (node, missing) = walk(&document, steps);
    let cut = if missing.is_empty() { vec![(with_line(text, node), String::new())] } else { Vec::new() };
    Ok(splice(text, cut))
}

/// What templates have empty, to be filled by a deployment, with the element it must stand in where others of the name
/// mean something else.
const FILLED: [(&str, Option<&str>); 19] = [
    ("ComputerName", None),
    ("ProductKey", None),
    ("RegisteredOrganization", None),
    ("RegisteredOwner", None),
    ("TimeZone", None),
    ("JoinDomain", None),
    ("JoinWorkgroup", None),
    ("MachineObjectOU", None),
    ("Username", Some("Credentials")),
    ("Domain", Some("Credentials")),
    ("Password", Some("Credentials")),
    ("Credentials", Some("Identification")),
    ("Identification", None),
    ("DNSDomain", None),
    ("InputLocale", None),
    ("SystemLocale", None),
    ("UILanguage", None),
    ("UILanguageFallback", None),
    ("UserLocale", None),
];

/// Without the empty elements among [`FILLED`]; none when there are none. Their parents may be empty then.
pub(super) fn without_empty(text: &str) -> Result<Option<String>, AnswerError> {
    let document = parse(text)?;
    let is_filled = |node: &Node<'_, '_>| {
        let name = node.tag_name().name();
        let parent = node.parent_element().map(|parent| parent.tag_name().name());
        let is_ours = node.tag_name().namespace() == Some(UNATTEND);
        is_ours && FILLED.iter().any(|(filled, within)| *filled == name && (within.is_none() || *within == parent))
    };
    let is_empty = |node: &Node<'_, '_>| {
        node.children().all(|child| child.is_text() && child.text().is_none_or(|text| text.trim().is_empty()))
    };
    let cuts: Vec<_> = settings(&document)
        .filter(|node| is_filled(node) && is_empty(node))
        .map(|node| (with_line(text, node), String::new()))
        .collect();
    Ok((!cuts.is_empty()).then(|| splice(text, cuts)))
}

/// Puts values for `%name%` into the texts of elements; gives the places of secret ones too.
pub(super) fn expand(
    text: &str,
    value_of: &dyn Fn(&str) -> Option<Expansion>,
) -> Result<(String, Vec<String>), AnswerError> {
    let document = parse(text)?;
    let (mut changes, mut secrets) = (Vec::new(), Vec::new());
    let mut room = MAX_ANSWER_BYTES;
    for node in settings(&document).filter(|node| !node.children().any(|child| child.is_element())) {
        let Some(range) = inner(text, node) else { continue };
        let old: String = node.children().filter(|child| child.is_text()).filter_map(|child| child.text()).collect();
        let (new, is_secret) = expanded(&old, room, value_of)?;
        if new != old {
            room = room.saturating_sub(new.len());
            changes.push((range, escape(&new)));
        }
        if is_secret {
            secrets.push(place(node));
        }
    }
    Ok((splice(text, changes), secrets))
}

/// The text, and whether something secret is in it. It must have room, for a file may name a long value again and again.
fn expanded(
    text: &str,
    room: usize,
    value_of: &dyn Fn(&str) -> Option<Expansion>,
) -> Result<(String, bool), AnswerError> {
    let (mut result, mut is_secret, mut rest) = (String::new(), false, text);
    while let Some((before, after)) = rest.split_once('%') {
        result.push_str(before);
        let value = after.split_once('%').and_then(|(name, beyond)| Some((value_of(name)?, beyond)));
        match value {
            Some((value, beyond)) => {
                result.push_str(&value.text);
                if result.len() > room {
                    return Err(AnswerError::TooLarge { size_bytes: MAX_ANSWER_BYTES - room + result.len() });
                }
                is_secret |= value.is_secret;
                rest = beyond;
            }
            // The second `%` may be the first of another name.
            None => {
                result.push('%');
                rest = after;
            }
        }
    }
    Ok((result + rest, is_secret))
}

/// All elements below `<settings>` but those of the pass `windowsPE`.
fn settings<'d, 'i>(document: &'d Document<'i>) -> impl Iterator<Item = Node<'d, 'i>> {
    let passes = document.root_element().children().filter(|node| node.has_tag_name((UNATTEND, "settings")));
    let read = passes.filter(|node| node.attribute("pass") != Some("windowsPE"));
    read.flat_map(|node| node.descendants().skip(1)).filter(Node::is_element)
}

/// `pass/component/element/…`.
fn place(node: Node<'_, '_>) -> String {
    let mut names: Vec<&str> = node
        .ancestors()
        .filter_map(|node| match node.tag_name().name() {
            "settings" => node.attribute("pass"),
            "component" => node.attribute("name"),
            "unattend" | "" => None,
            name => Some(name),
        })
        .collect();
    names.reverse();
    names.join("/")
}

/// Between the tags; none for `<name/>`.
fn inner(text: &str, node: Node<'_, '_>) -> Option<Range<usize>> {
    let range = node.range();
    let mut quote = None;
    let end = text[range.clone()].bytes().position(|byte| {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            _ => {}
        }
        quote.is_none() && byte == b'>'
    })?;
    let start = range.start + end + 1;
    if text[..start].ends_with("/>") { None } else { Some(start..text[..range.end].rfind("</")?) }
}

/// A line break and the blanks before an element.
fn indent(text: &str, node: Node<'_, '_>) -> String {
    let before = &text[..node.range().start];
    let line = before.rfind('\n').map_or(before, |at| &before[at + 1..]);
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let blanks: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    format!("{newline}{blanks}")
}

/// The element's range, with the blanks and the line break before it.
fn with_line(text: &str, node: Node<'_, '_>) -> Range<usize> {
    let Range { start, end } = node.range();
    text[..start].trim_end_matches([' ', '\t', '\r', '\n']).len()..end
}

/// Ranges replaced, in any order. A range within another goes with it.
fn splice(text: &str, mut changes: Vec<(Range<usize>, String)>) -> String {
    changes.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let (mut result, mut at) = (String::with_capacity(text.len()), 0);
    for (range, new) in changes {
        if range.start < at {
            continue;
        }
        result.push_str(&text[at..range.start]);
        result.push_str(&new);
        at = range.end;
    }
    result.push_str(&text[at..]);
    result
}
