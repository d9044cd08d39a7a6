// SPDX-FileCopyrightText: The Platen contributors
// SPDX-License-Identifier: GPL-3.0-or-later

//! Elements that are written into an answer file.

/// What `wcm:action` stands for.
const WCM: (&str, &str) = ("xmlns:wcm", "http://schemas.microsoft.com/WMIConfig/2002/State");

/// An element to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    content: Content,
}

/// What is in an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    Elements(Vec<Element>),
}

impl Element {
    pub(super) fn text(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), attributes: Vec::new(), content: Content::Text(text.into()) }
    }

    pub(super) fn group(name: &str, elements: Vec<Self>) -> Self {
        Self { name: name.to_owned(), attributes: Vec::new(), content: Content::Elements(elements) }
    }

    /// An element with attributes, by their names and values.
    pub(super) fn with(name: &str, attributes: &[(&str, &str)], content: Content) -> Self {
        let owned = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { name: name.to_owned(), attributes: owned, content }
    }

    /// An entry of a list.
    pub(super) fn added(mut self) -> Self {
        for (name, value) in [WCM, ("wcm:action", "add")] {
            self.attributes.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Texts as a list, each with its number from 1.
    pub(super) fn numbered(list: &str, name: &str, texts: impl Iterator<Item = String>) -> Self {
        Self::group(list, Self::entries(name, texts))
    }

    /// The entries alone.
    pub(super) fn entries(name: &str, texts: impl Iterator<Item = String>) -> Vec<Self> {
        let entry = |(at, text): (usize, String)| {
            let mut entry = Self::text(name, text).added();
            entry.attributes.push(("wcm:keyValue".to_owned(), (at + 1).to_string()));
            entry
        };
        texts.enumerate().map(entry).collect()
    }

    /// Appends the element; lines below its own begin with `indent`, and those of its content with more.
    pub(super) fn write(&self, out: &mut String, indent: &str) {
        out.extend(["<", &*self.name]);
        for (name, value) in &self.attributes {
            out.extend([" ", &**name, "=\"", &*escape(value), "\""]);
        }
        out.push('>');
        self.content.write(out, indent);
        out.extend(["</", &*self.name, ">"]);
    }
}

impl Content {
    /// `indent` begins the line that closes what this is the content of.
    pub(super) fn write(&self, out: &mut String, indent: &str) {
        match self {
            Self::Text(text) => out.push_str(&escape(text)),
            Self::Elements(elements) => {
                let inner = format!("{indent}    ");
                for element in elements {
                    out.push_str(&inner);
                    element.write(out, &inner);
                }
                out.push_str(indent);
            }
        }
    }
}

/// A text as it stands in XML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            // XML has no other control characters, in no form (XML 1.0, 2.2).
            c if c.is_control() && !matches!(c, '\t' | '\n') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
